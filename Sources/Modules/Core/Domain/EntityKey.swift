/// The key of a record: which entity it is about.
///
/// On the wire a string is its UTF-8, an int its decimal digits, and a composite key a JSON array.
package struct EntityKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The bytes of the record key; never empty.
    package let bytes: [UInt8]

    package enum Error: Swift.Error, Equatable {
        /// A part of the key was null, or the whole key was empty text.
        case missing
        /// Only strings and ints identify an entity.
        case unsupported(ValueType)
    }

    /// - Throws: ``Error/missing`` for null or empty parts, ``Error/unsupported(_:)`` for bools, doubles and times.
    package init(_ parts: [Value]) throws(Error) {
        for part in parts {
            switch part {
            case .null, .string(""): throw .missing
            case .bool: throw .unsupported(.bool)
            case .double: throw .unsupported(.double)
            case .time: throw .unsupported(.time)
            case .int, .string: break
            }
        }
        guard let first = parts.first else { throw .missing }
        guard parts.count == 1 else {
            bytes = JSONText.array(parts)
            return
        }
        switch first {
        case .string(let text): bytes = Array(text.utf8)
        case .int(let number): bytes = Array(number.description.utf8)
        default: throw .missing
        }
    }

    /// The key of a record as read from the log.
    /// - Returns: `nil` when there are no bytes.
    package init?(bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard !bytes.isEmpty else { return nil }
        self.bytes = bytes
    }

    package var description: String { String(decoding: bytes, as: UTF8.self) }

    package static func < (a: EntityKey, b: EntityKey) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}
