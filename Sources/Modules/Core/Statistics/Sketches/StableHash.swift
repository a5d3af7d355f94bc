/// A 64-bit hash that is the same in every process and on every machine, and spreads values evenly whatever they are: SipHash-2-4 with
/// a fixed key.
///
/// Source: J.-P. Aumasson and D. Bernstein, "SipHash", INDOCRYPT 2012, <https://doi.org/10.1007/978-3-642-34931-7_28>.
package enum StableHash {
    private static let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)

    package static func hash(_ text: String) -> UInt64 {
        var text = text
        return text.withUTF8 { bytes in hash(UnsafeRawBufferPointer(bytes)) }
    }

    package static func hash(_ number: Int64) -> UInt64 {
        withUnsafeBytes(of: number.littleEndian) { hash($0) }
    }

    /// Zero has one hash, whatever its sign.
    package static func hash(_ number: Double) -> UInt64 { hash(Int64(bitPattern: (number == 0 ? 0 : number).bitPattern)) }

    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state = State(key)
        let whole = bytes.count & ~7
        for offset in stride(from: 0, to: whole, by: 8) {
            state.take(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
        var last = UInt64(truncatingIfNeeded: bytes.count) << 56
        for offset in whole..<bytes.count { last |= UInt64(bytes[offset]) << UInt64(8 * (offset - whole)) }
        state.take(last)
        return state.finish()
    }

    private struct State {
        private var a, b, c, d: UInt64

        init(_ key: (UInt64, UInt64)) {
            a = key.0 ^ 0x736F_6D65_7073_6575
            b = key.1 ^ 0x646F_7261_6E64_6F6D
            c = key.0 ^ 0x6C79_6765_6E65_7261
            d = key.1 ^ 0x7465_6462_7974_6573
        }

        mutating func take(_ word: UInt64) {
            d ^= word
            round()
            round()
            a ^= word
        }

        mutating func finish() -> UInt64 {
            c ^= 0xFF
            for _ in 0..<4 { round() }
            return a ^ b ^ c ^ d
        }

        private mutating func round() {
            a = a &+ b
            b = rotate(b, 13) ^ a
            a = rotate(a, 32)
            c = c &+ d
            d = rotate(d, 16) ^ c
            a = a &+ d
            d = rotate(d, 21) ^ a
            c = c &+ b
            b = rotate(b, 17) ^ c
            c = rotate(c, 32)
        }

        private func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }
    }
}
