/// Time-ordered identifiers: 48 bits of milliseconds, then random bits.
///
/// Source: RFC 9562, section 5.7.
package enum UUIDv7 {
    /// - Parameters:
    ///   - milliseconds: Since the Unix epoch; the lower 48 bits are used.
    ///   - random: 74 bits of it are used.
    package static func make(milliseconds: EventTime.Milliseconds, random: (UInt64, UInt64)) -> String {
        let time = UInt64(bitPattern: milliseconds) & 0xFFFF_FFFF_FFFF
        let high = time << 16 | 0x7000 | random.0 & 0x0FFF
        let low = 0x8000_0000_0000_0000 | random.1 & 0x3FFF_FFFF_FFFF_FFFF
        let digits = hex(high) + hex(low)
        var text: [UInt8] = []
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// 16 hexadecimal digits, most significant first.
    private static func hex(_ word: UInt64) -> [UInt8] {
        (0..<16).map { JSONText.hexDigit(UInt8(truncatingIfNeeded: word >> UInt64(60 - $0 * 4)) & 15) }
    }
}
