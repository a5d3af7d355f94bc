import Domain
import Features
import Table

/// One source under `sources:`.
enum SourceSection {
    private enum Kind: String, CaseIterable { case synthetic, file }

    private static let common = ["kind", "stream", "set"]
    private static func own(_ kind: Kind) -> [String] {
        switch kind {
        case .synthetic: ["pairs", "rate", "seed"]
        case .file: ["path", "map"]
        }
    }

    /// - Parameter streams: Those that are sound, by name; `declared` are all that the file names.
    static func read(
        _ name: String, _ item: Item, streams: [String: StreamDefinition], declared: Set<String>, _ reader: inout ProjectReader
    ) -> SourceDefinition? {
        let before = reader.errors.count
        guard reader.isName(item, name), let kind = kind(item, &reader),
            let section = reader.section(item, keys: common + own(kind))
        else { return nil }
        let kindDefinition = kind == .synthetic ? synthetic(section, &reader) : file(section, &reader)
        guard let streamItem = reader.required(section, "stream"), let streamName = reader.text(streamItem, "the name of a stream") else {
            return nil
        }
        guard let stream = streams[streamName] else {
            if !declared.contains(streamName) {
                reader.refuse(
                    streamItem, "there is no stream \"\(streamName)\"" + SpellingSuggestion.hint(for: streamName, among: Array(declared)))
            }
            return nil
        }
        let set = section["set"].map { constants($0, stream, &reader) } ?? []
        let map = section["map"].map { mapping($0, stream, set.map(\.field), &reader) } ?? []
        guard reader.errors.count == before, let kindDefinition else { return nil }
        return SourceDefinition(name: name, kind: kindDefinition, stream: streamName, set: set, map: map)
    }

    /// The kind decides which other keys there are, so it is read first.
    private static func kind(_ item: Item, _ reader: inout ProjectReader) -> Kind? {
        guard let entries = reader.entries(item) else { return nil }
        guard let kind = entries.first(where: { $0.key == "kind" })?.value else {
            reader.refuseKey(item, "\"kind\" is missing; known: file, synthetic")
            return nil
        }
        return reader.choice(kind, "kind of source", as: Kind.self)
    }

    private static func synthetic(_ section: Section, _ reader: inout ProjectReader) -> SourceDefinition.Kind? {
        let pairsItem = reader.required(section, "pairs")
        let pairs = pairsItem.flatMap { reader.texts($0) }?.map(\.text)
        if let pairsItem, let pairs, pairs.isEmpty { reader.refuse(pairsItem, "expected at least one pair, found an empty list") }
        if let pairsItem, let pairs, let twice = pairs.first(where: { pair in pairs.count { $0 == pair } > 1 }) {
            reader.refuse(pairsItem, "\"\(twice)\" is named twice")
        }
        let rate = section["rate"].map { reader.form($0, "a rate such as 200/s", ValueForms.rate) } ?? 20
        let seed = section["seed"].map { reader.integer($0, 0...Int.max) } ?? 1
        guard let pairs, let rate, let seed else { return nil }
        return .synthetic(pairs: pairs, rate: rate, seed: UInt64(seed))
    }

    private static func file(_ section: Section, _ reader: inout ProjectReader) -> SourceDefinition.Kind? {
        reader.required(section, "path").flatMap { reader.text($0, "the path of a file") }.map { .file(path: $0) }
    }

    private static func constants(
        _ item: Item, _ stream: StreamDefinition, _ reader: inout ProjectReader
    ) -> [(field: String, value: Value)] {
        var constants: [(String, Value)] = []
        for (name, item) in reader.entries(item) ?? [] {
            guard let field = field(name, item, stream, &reader) else { continue }
            let article = field.type == .int ? "an" : "a"
            guard
                let value = reader.form(item, "\(article) \(field.type.rawValue) for the field \"\(name)\"", { Self.value($0, field.type) })
            else { continue }
            constants.append((name, value))
        }
        return constants
    }

    private static func mapping(
        _ item: Item, _ stream: StreamDefinition, _ constants: [String], _ reader: inout ProjectReader
    ) -> [(field: String, column: String)] {
        var map: [(String, String)] = []
        for (name, item) in reader.entries(item) ?? [] {
            guard field(name, item, stream, &reader) != nil, let column = reader.text(item, "the name of a column") else { continue }
            if constants.contains(name) { reader.refuseKey(item, "\"\(name)\" is set to a constant already") }
            map.append((name, column))
        }
        return map
    }

    private static func field(
        _ name: String, _ item: Item, _ stream: StreamDefinition, _ reader: inout ProjectReader
    ) -> RowDecoder.Field? {
        if let field = stream.fields.first(where: { $0.name == name }) { return field }
        let hint = SpellingSuggestion.hint(for: name, among: stream.fields.map(\.name))
        reader.refuseKey(item, "the stream \"\(stream.name)\" has no field \"\(name)\"" + hint)
        return nil
    }

    private static func value(_ text: String, _ type: ValueType) -> Value? {
        switch type {
        case .string: text.isEmpty ? nil : .string(text)
        case .bool: text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
        case .int: ValueForms.integer(text).map(Value.int)
        case .double: ValueForms.number(text).map(Value.double)
        case .time: (EventTime.parse(text) ?? ValueForms.integer(text)).map(Value.time)
        }
    }
}
