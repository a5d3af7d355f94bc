import Domain

/// How the state of a group lies in its compacted topic: one record for each key and for each input position.
///
/// Keys of records are a letter and the key: `s` for state, `o` for the next offset of `topic/partition`, decimal, and `u` for the
/// mark of the last unit of the partition `topic/partition`.
enum Changelog {
    static func topic(of group: String, prefix: String) -> String { "\(identifier(of: group, prefix: prefix)).changelog" }

    /// The group's name in letters that Kafka allows, another one for each group.
    static func identifier(of group: String, prefix: String) -> String {
        let name = encoded(group)
        // Groups that are named by a topic already bear the prefix inside.
        return prefix.isEmpty || name.hasPrefix(prefix) ? name : prefix + name
    }

    /// A slash between two parts becomes a dot. Every other byte that is not allowed, a dot of the name's own included, becomes two dots
    /// and its two digits, base 16: a single dot is never followed by another and two digits.
    private static func encoded(_ group: String) -> String {
        var name = "", isAfterSlash = true
        for byte in group.utf8 {
            let letter = Character(UnicodeScalar(byte)), isSlash = letter == "/"
            if letter.isASCII, letter.isLetter || letter.isNumber || letter == "_" || letter == "-" {
                name.append(letter)
            } else if isSlash, !isAfterSlash {
                name.append(".")
            } else {
                name += ".." + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            isAfterSlash = isSlash
        }
        return name
    }

    static func records(of unit: LogUnit) -> [Record] {
        unit.state.map { Record(key: [stateMark] + $0.key, value: $0.value, timestamp: 0) }
            + unit.offsets.map {
                Record(key: [offsetMark] + Array("\($0.topic)/\($0.partition)".utf8), value: Array(String($0.next).utf8), timestamp: 0)
            }
    }

    /// What tells one unit under a lease from all others: who finds it in the changelog knows that the unit was written.
    static func newMark(of lease: Lease) -> Record {
        var value: [UInt8] = []
        for _ in 0..<2 { withUnsafeBytes(of: UInt64.random(in: .min ... .max)) { value.append(contentsOf: $0) } }
        return Record(key: [unitMark] + Array("\(lease.topic)/\(lease.partition)".utf8), value: value, timestamp: 0)
    }

    static let stateMark = UInt8(ascii: "s")
    static let offsetMark = UInt8(ascii: "o")
    static let unitMark = UInt8(ascii: "u")
}

/// The state of one partition of a group, as the records of its changelog leave it.
struct ChangelogImage: Sendable, Equatable {
    /// By the key of the record.
    private(set) var entries: [[UInt8]: [UInt8]] = [:]
    /// One past the last record that is in it.
    var position: Int64 = 0

    mutating func apply(key: [UInt8], value: [UInt8]?) { entries[key] = value }

    mutating func apply(_ records: [Record]) {
        for record in records { if let key = record.key { entries[key] = record.value } }
    }

    mutating func apply(_ batch: RecordBatch) throws {
        try batch.forEach { record in
            if let key = record.key { entries[Array(key)] = record.value.map(Array.init) }
        }
        position = max(position, batch.nextOffset)
    }

    /// Whether all of `records` are in it, as far as their keys go.
    func holds(_ records: [Record]) -> Bool {
        records.allSatisfy { record in record.key.map { entries[$0] == record.value } ?? true }
    }

    var saved: SavedState {
        var state: [(key: [UInt8], value: [UInt8])] = [], positions: [LogUnit.Position] = []
        for (key, value) in entries {
            switch key.first {
            case Changelog.stateMark: state.append((key: Array(key.dropFirst()), value: value))
            case Changelog.offsetMark: if let position = Self.position(key.dropFirst(), value) { positions.append(position) }
            default: break
            }
        }
        return SavedState(entries: state.sorted { $0.key.lexicographicallyPrecedes($1.key) }, positions: positions)
    }

    private static func position(_ place: some Sequence<UInt8>, _ value: [UInt8]) -> LogUnit.Position? {
        let text = String(decoding: Array(place), as: UTF8.self)
        guard let slash = text.lastIndex(of: "/"), let partition = Int(text[text.index(after: slash)...]),
            let next = Int64(String(decoding: value, as: UTF8.self))
        else { return nil }
        return LogUnit.Position(topic: String(text[..<slash]), partition: partition, next: next)
    }
}
