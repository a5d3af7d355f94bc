import Domain
import Synchronization

/// Requests that differ from an earlier one in their entities alone, as those of one client do: their features are resolved already,
/// and their entities are read without a tree of JSON in between.
///
/// A request is known by the text around the value of `entities`. The text around was part of a valid body with the same cut, and the
/// value is read strictly, so what is known means what the general reader would have made of it. Whatever is unusual — escapes,
/// nulls, digits as text, keys that no view has — is left to the general reader.
final class KnownRequests: Sendable {
    private struct Known {
        let before: [UInt8]
        let after: [UInt8]
        let plan: OnlinePlan
    }

    /// Lists of features that are remembered; of the clients of one server there are few kinds.
    static let limit = 64

    private let known = Mutex<[Known]>([])
    private let catalogue: OnlineCatalogue

    init(_ catalogue: OnlineCatalogue) { self.catalogue = catalogue }

    var count: Int { known.withLock(\.count) }

    /// - Throws: ``FeastFailure`` that names what is unknown, missing or of the wrong type.
    func request(_ body: UnsafeRawBufferPointer) throws(FeastFailure) -> OnlineRequest {
        for candidate in known.withLock({ $0 }) {
            if let request = Self.read(body, candidate) { return request }
        }
        let request = try OnlineRequest(body, catalogue)
        if let entities = EntityText.place(in: body) {
            let new = Known(before: Array(body[..<entities.lowerBound]), after: Array(body[entities.upperBound...]), plan: request.plan)
            known.withLock { known in
                if known.contains(where: { $0.before == new.before && $0.after == new.after }) { return }
                if known.count == Self.limit { known.removeFirst() }
                known.append(new)
            }
        }
        return request
    }

    private static func read(_ body: UnsafeRawBufferPointer, _ known: Known) -> OnlineRequest? {
        let (before, after) = (known.before.count, known.after.count)
        guard body.count > before + after, body.prefix(before).elementsEqual(known.before), body.suffix(after).elementsEqual(known.after)
        else { return nil }
        return EntityText.read(UnsafeRawBufferPointer(rebasing: body[before..<(body.count - after)]), known.plan.keys).map {
            OnlineRequest(plan: known.plan, keys: $0)
        }
    }
}

/// The value of `entities`: an object of lists, one a join key.
private struct EntityText {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes.bindMemory(to: UInt8.self) }

    /// Where the value lies in a valid body; `nil` when that cannot be told simply.
    static func place(in body: UnsafeRawBufferPointer) -> Range<Int>? {
        var text = EntityText(body), found: Range<Int>?
        guard text.take("{") else { return nil }
        repeat {
            guard let name = text.plainText(), text.take(":") else { return nil }
            text.skipSpace()
            let start = text.at
            text.skipValue()
            guard name.elementsEqual("entities".utf8) else { continue }
            guard found == nil else { return nil }
            found = start..<text.at
        } while text.take(",")
        return text.take("}") ? found : nil
    }

    /// - Returns: `nil` unless the text is plain: every key once and no other, all lists of one length, of what their types say.
    static func read(_ text: UnsafeRawBufferPointer, _ keys: [(name: String, type: ValueType)]) -> [KeyColumn]? {
        var text = EntityText(text)
        var found = [KeyColumn](repeating: KeyColumn(), count: keys.count)
        guard text.take("{") else { return nil }
        repeat {
            guard let name = text.plainText(), let place = keys.firstIndex(where: { name.elementsEqual($0.name.utf8) }),
                found[place].count == 0, text.take(":"), text.list(keys[place].type, into: &found[place])
            else { return nil }
        } while text.take(",")
        guard text.take("}"), text.at == text.bytes.count, found.allSatisfy({ $0.count > 0 && $0.count == found[0].count }) else {
            return nil
        }
        return found
    }

    private mutating func list(_ type: ValueType, into column: inout KeyColumn) -> Bool {
        guard take("[") else { return false }
        // A digit and a comma at least.
        column.json.reserveCapacity(texts: 8, bytes: min(bytes.count - at, 1 << 16))
        column.keys.reserveCapacity(texts: 8, bytes: min(bytes.count - at, 1 << 16))
        repeat {
            guard column.count < OnlineRequest.maxEntities else { return false }
            skipSpace()
            let start = at
            switch type {
            case .int:
                guard let number = plainNumber() else { return false }
                column.keys.append(number)
            case .string:
                guard let content = plainText() else { return false }
                column.keys.append(content)
            default: return false
            }
            column.json.append(UnsafeBufferPointer(rebasing: bytes[start..<at]))
        } while take(",")
        return take("]")
    }

    /// An integer of at most 18 digits, written as it would be written here.
    private mutating func plainNumber() -> UnsafeBufferPointer<UInt8>? {
        let start = at
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
        let first = at
        while at < bytes.count, bytes[at] &- UInt8(ascii: "0") < 10 { at += 1 }
        guard (1...18).contains(at - first), bytes[first] != UInt8(ascii: "0") || (at - first == 1 && first == start) else { return nil }
        return UnsafeBufferPointer(rebasing: bytes[start..<at])
    }

    /// The content of a text of printable ASCII without escapes.
    private mutating func plainText() -> UnsafeBufferPointer<UInt8>? {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return nil }
        at += 1
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            guard (0x20..<0x7F).contains(bytes[at]), bytes[at] != UInt8(ascii: "\\") else { return nil }
            at += 1
        }
        guard at < bytes.count else { return nil }
        at += 1
        return UnsafeBufferPointer(rebasing: bytes[start..<(at - 1)])
    }

    /// Moves behind the value that begins here; it is known to be valid.
    private mutating func skipValue() {
        var depth = 0, isText = false
        while at < bytes.count {
            let byte = bytes[at]
            if isText {
                if byte == UInt8(ascii: "\\") { at += 1 }
                isText = byte != UInt8(ascii: "\"")
            } else {
                switch byte {
                case UInt8(ascii: "\""): isText = true
                case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ","):
                    guard depth > 0 else { return }
                    if byte != UInt8(ascii: ",") { depth -= 1 }
                default: break
                }
            }
            at += 1
        }
    }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 { at += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }
}
