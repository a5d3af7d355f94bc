import Domain
import Features
import Table

/// One source under `sources:`.
enum SourceSection {
    private enum Kind: String, CaseIterable { case synthetic, file, kraken, binance, coinbase, topic }

    private static func keys(_ kind: Kind) -> [String] {
        switch kind {
        case .synthetic: ["kind", "stream", "set", "pairs", "rate", "seed"] + PlantingSection.keys
        case .file: ["kind", "stream", "set", "path", "map", "optional"]
        case .kraken, .binance: ["kind", "stream", "set", "pairs", "url", "rest_url", "ca_file"]
        case .coinbase: ["kind", "stream", "set", "pairs", "url", "ca_file", "channel"]
        case .topic: ["kind", "stream", "topic", "event_log"]
        }
    }

    /// - Parameter streams: Those that are sound, by name; `declared` are all that the file names.
    static func read(
        _ name: String, _ item: Item, streams: [String: StreamDefinition], declared: Set<String>, _ reader: inout ProjectReader
    ) -> SourceDefinition? {
        let before = reader.errors.count
        guard reader.isName(item, name), let kind = kind(item, &reader),
            let section = reader.section(item, keys: keys(kind))
        else { return nil }
        let stream = reader.required(section, "stream").flatMap { Self.stream($0, streams, declared, &reader) }
        let kindDefinition = definition(kind, section, stream, &reader)
        guard let stream else { return nil }
        let set = section["set"].map { constants($0, stream, &reader) } ?? []
        let map = section["map"].map { mapping($0, stream, set.map(\.field), &reader) } ?? []
        guard reader.errors.count == before, let kindDefinition else { return nil }
        return SourceDefinition(name: name, kind: kindDefinition, stream: stream.name, set: set, map: map)
    }

    /// The kind decides which other keys there are, so it is read first.
    private static func kind(_ item: Item, _ reader: inout ProjectReader) -> Kind? {
        guard let entries = reader.entries(item) else { return nil }
        guard let kind = entries.first(where: { $0.key == "kind" })?.value else {
            reader.refuseKey(item, "\"kind\" is missing; known: " + Kind.allCases.map(\.rawValue).sorted().joined(separator: ", "))
            return nil
        }
        return reader.choice(kind, "kind of source", as: Kind.self)
    }

    /// - Returns: `nil` also for a stream that is declared and not sound: that has been told already.
    private static func stream(
        _ item: Item, _ streams: [String: StreamDefinition], _ declared: Set<String>, _ reader: inout ProjectReader
    ) -> StreamDefinition? {
        guard let name = reader.text(item, "the name of a stream") else { return nil }
        if streams[name] == nil, !declared.contains(name) {
            reader.refuse(item, "there is no stream \"\(name)\"" + SpellingSuggestion.hint(for: name, among: Array(declared)))
        }
        return streams[name]
    }

    private static func definition(
        _ kind: Kind, _ section: Section, _ stream: StreamDefinition?, _ reader: inout ProjectReader
    ) -> SourceDefinition.Kind? {
        switch kind {
        case .synthetic: synthetic(section, stream, &reader)
        case .file: file(section, &reader)
        case .kraken: market(.kraken, section, &reader)
        case .binance: market(.binance, section, &reader)
        case .coinbase: market(.coinbase, section, &reader)
        case .topic: topic(section, stream, &reader)
        }
    }

    private static func synthetic(
        _ section: Section, _ stream: StreamDefinition?, _ reader: inout ProjectReader
    ) -> SourceDefinition.Kind? {
        let pairs = pairs(section, &reader)
        let rate = section["rate"].map { reader.form($0, "a rate such as 200/s", ValueForms.rate) } ?? 20
        let seed = section["seed"].map { reader.integer($0, 0...Int.max) } ?? 1
        let planting = PlantingSection.read(section, stream, &reader)
        guard let pairs, let rate, let seed else { return nil }
        return .synthetic(SyntheticDefinition(pairs: pairs, rate: rate, seed: UInt64(seed), planting: planting))
    }

    private static func pairs(_ section: Section, _ reader: inout ProjectReader) -> [String]? {
        guard let item = reader.required(section, "pairs"), let pairs = reader.texts(item)?.map(\.text) else { return nil }
        if pairs.isEmpty { reader.refuse(item, "expected at least one pair, found an empty list") }
        if let twice = pairs.first(where: { pair in pairs.count { $0 == pair } > 1 }) { reader.refuse(item, "\"\(twice)\" is named twice") }
        return pairs
    }

    private static func file(_ section: Section, _ reader: inout ProjectReader) -> SourceDefinition.Kind? {
        let path = reader.required(section, "path").flatMap { reader.text($0, "the path of a file, a pattern, or a folder") }
        let isOptional = section["optional"].map { reader.flag($0) } ?? false
        guard let path, let isOptional else { return nil }
        return .file(path: path, isOptional: isOptional)
    }

    private static func market(
        _ exchange: MarketDefinition.Exchange, _ section: Section, _ reader: inout ProjectReader
    ) -> SourceDefinition.Kind? {
        let pairs = pairs(section, &reader)
        if let item = section["pairs"], let wrong = pairs?.first(where: { !isPair($0) }) {
            reader.refuse(item, "\"\(wrong)\" is not a pair; write both sides, such as BTC/USD")
        }
        let url = section["url"].map { reader.form($0, "a URL such as wss://host/path") { address($0, ["ws", "wss"]) } }
        let restURL = section["rest_url"].map { reader.form($0, "a URL such as https://host") { address($0, ["http", "https"]) } }
        let caFile = section["ca_file"].map { reader.text($0, "the path of a PEM file") }
        let channel = section["channel"].map { reader.choice($0, "channel", as: MarketDefinition.Channel.self) }
        guard let pairs else { return nil }
        return .market(
            MarketDefinition(
                exchange: exchange, pairs: pairs, url: url ?? nil, restURL: restURL ?? nil, caFile: caFile ?? nil,
                channel: channel ?? nil))
    }

    private static func isPair(_ text: String) -> Bool {
        let sides = text.split(separator: "/", omittingEmptySubsequences: false)
        return sides.count == 2 && sides.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } }
    }

    private static func address(_ text: String, _ schemes: [String]) -> String? {
        guard let scheme = schemes.first(where: { text.hasPrefix($0 + "://") }) else { return nil }
        let rest = text.dropFirst(scheme.count + 3)
        guard let first = rest.first, first != "/", !text.contains(where: \.isWhitespace) else { return nil }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private static func topic(
        _ section: Section, _ stream: StreamDefinition?, _ reader: inout ProjectReader
    ) -> SourceDefinition.Kind? {
        let log = section["event_log"].map { reader.text($0, "the URL of an event log") } ?? nil
        guard let item = reader.required(section, "topic"), let name = reader.text(item, "the name of a topic") else { return nil }
        guard ValueForms.isName(name) else {
            reader.refuse(item, "\"\(name)\" cannot be a topic; use letters, digits, \".\", \"_\" and \"-\", at most 200 of them")
            return nil
        }
        if log == nil, let stream, name == stream.topic {
            reader.refuse(item, "the stream \"\(stream.name)\" is this topic: its records would go round for ever")
        }
        return .topic(name: name, log: log)
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

    static func field(
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
