/// Writes the exact binary form of engine state: little-endian, doubles by their bits, so that what is read back is
/// what was written to the last bit.
package struct BinaryWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func write(_ value: UInt8) { bytes.append(value) }
    package mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }
    package mutating func write(_ value: Int64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    package mutating func write(_ value: Double) { write(Int64(bitPattern: value.bitPattern)) }
    package mutating func write(count: Int) { write(Int64(count)) }

    package mutating func write(_ value: [UInt8]) {
        write(count: value.count)
        bytes += value
    }

    package mutating func write(_ value: String) { write(Array(value.utf8)) }
}

/// Reads what ``BinaryWriter`` wrote.
package struct BinaryReader {
    /// The bytes end too early, hold an impossible length, or text that is not UTF-8.
    package struct Damaged: Error, Equatable {
        package let offset: Int

        package init(offset: Int) { self.offset = offset }
    }

    private let bytes: [UInt8]
    private var at = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var isAtEnd: Bool { at == bytes.count }

    package mutating func readByte() throws(Damaged) -> UInt8 {
        guard at < bytes.count else { throw Damaged(offset: at) }
        defer { at += 1 }
        return bytes[at]
    }

    package mutating func readBool() throws(Damaged) -> Bool { try readByte() != 0 }

    package mutating func readInt() throws(Damaged) -> Int64 {
        guard at + 8 <= bytes.count else { throw Damaged(offset: at) }
        defer { at += 8 }
        var value: UInt64 = 0
        for index in (0..<8).reversed() { value = value << 8 | UInt64(bytes[at + index]) }
        return Int64(bitPattern: value)
    }

    package mutating func readDouble() throws(Damaged) -> Double { Double(bitPattern: UInt64(bitPattern: try readInt())) }

    /// A number of things that follow; never more than the bytes that are left.
    package mutating func readCount() throws(Damaged) -> Int {
        let count = try readInt()
        guard count >= 0, count <= bytes.count - at else { throw Damaged(offset: at) }
        return Int(count)
    }

    package mutating func readBytes() throws(Damaged) -> [UInt8] {
        let count = try readCount()
        defer { at += count }
        return Array(bytes[at..<at + count])
    }

    package mutating func readString() throws(Damaged) -> String {
        let raw = try readBytes()
        guard let text = String(validating: raw, as: UTF8.self) else { throw Damaged(offset: at) }
        return text
    }
}

extension BinaryWriter {
    package mutating func write(_ value: Value) {
        switch value {
        case .null: write(UInt8(0))
        case .bool(let value):
            write(UInt8(1))
            write(value)
        case .int(let value):
            write(UInt8(2))
            write(value)
        case .double(let value):
            write(UInt8(3))
            write(value)
        case .string(let value):
            write(UInt8(4))
            write(value)
        case .time(let value):
            write(UInt8(5))
            write(value)
        }
    }
}

extension BinaryReader {
    package mutating func readValue() throws(Damaged) -> Value {
        switch try readByte() {
        case 0: .null
        case 1: .bool(try readBool())
        case 2: .int(try readInt())
        case 3: .double(try readDouble())
        case 4: .string(try readString())
        case 5: .time(try readInt())
        default: throw Damaged(offset: -1)
        }
    }
}
