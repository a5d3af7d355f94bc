import Tracking
import Web

/// The arguments of one request, from its query, its JSON body and its path; reading one checks its type.
struct Arguments: Sendable {
    let json: JSONValue
    /// Bytes of the body.
    let bodySize: Int
    /// Whether they were written as a query, which has no lists of one.
    private let isQuery: Bool
    /// What these arguments are part of: its own place, the member's name, and the place in the list when it is one.
    private let outer: (place: String, name: String, index: Int?)?

    init(_ json: JSONValue, bodySize: Int = 0) { self.init(json, bodySize: bodySize, in: nil) }

    private init(
        _ json: JSONValue, bodySize: Int = 0, isQuery: Bool = false, in outer: (place: String, name: String, index: Int?)?
    ) {
        self.json = json
        self.isQuery = isQuery
        self.bodySize = bodySize
        self.outer = outer
    }

    /// The way to these arguments in the request, for messages: `metrics[0].`.
    private var place: String {
        guard let outer else { return "" }
        return outer.place + outer.name + (outer.index.map { "[\($0)]" } ?? "") + "."
    }

    /// From a query: a name given several times becomes a list.
    init(query: [(name: String, value: String)]) {
        var names: [String] = []
        var values: [String: [JSONValue]] = [:]
        for pair in query {
            if values[pair.name] == nil { names.append(pair.name) }
            values[pair.name, default: []].append(.string(pair.value))
        }
        json = .object(
            names.map { name in
                let all = values[name] ?? []
                return JSONValue.Member(name, all.count == 1 ? all[0] : .array(all))
            })
        bodySize = 0
        isQuery = true
        outer = nil
    }

    /// With one more argument, from the path.
    func with(_ name: String, _ value: String) -> Arguments {
        Arguments(
            .object((json.members ?? []) + [JSONValue.Member(name, .string(value))]), bodySize: bodySize, isQuery: isQuery, in: nil)
    }

    subscript(name: String) -> JSONValue? {
        let value = json[name]
        return value == .null ? nil : value
    }

    func missing(_ name: String) -> TrackingError {
        TrackingError(.invalidParameter, "Missing value for required parameter '\(place)\(name)'. \(Validation.seeDocs)")
    }

    func invalid(_ value: JSONValue, _ name: String) -> TrackingError {
        var writer = JSONWriter()
        writer.value(value)
        let shown = Validation.shown(String(decoding: writer.bytes, as: UTF8.self))
        return TrackingError(
            .invalidParameter,
            "Invalid value \(shown) for parameter '\(place)\(name)' supplied:  Hint: Value was of type '\(Self.kind(value))'. \(Validation.seeDocs)"
        )
    }

    /// As the clients of the protocol, mostly Python, call it.
    private static func kind(_ value: JSONValue) -> String {
        switch value {
        case .null: "NoneType"
        case .bool: "bool"
        case .int: "int"
        case .double: "float"
        case .string: "str"
        case .array: "list"
        case .object: "dict"
        }
    }

    // MARK: One value

    func text(_ name: String) throws(TrackingError) -> String {
        guard let text = try optionalText(name), !text.isEmpty else { throw missing(name) }
        return text
    }

    /// `nil` when the argument is missing.
    func optionalText(_ name: String) throws(TrackingError) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else { throw invalid(value, name) }
        return try whole(text, name)
    }

    /// SQLite keeps a NUL, but compares and cuts texts only as far as one.
    private func whole(_ text: String, _ name: String) throws(TrackingError) -> String {
        guard !text.utf8.contains(0) else {
            throw TrackingError(.invalidParameter, "Invalid value for parameter '\(place)\(name)' supplied: it holds a NUL character")
        }
        return text
    }

    func int(_ name: String) throws(TrackingError) -> Int64 {
        guard let number = try optionalInt(name) else { throw missing(name) }
        return number
    }

    func optionalInt(_ name: String) throws(TrackingError) -> Int64? {
        guard let value = self[name], value != .string("") else { return nil }
        guard let number = value.int64 else { throw invalid(value, name) }
        return number
    }

    func number(_ name: String) throws(TrackingError) -> Double {
        guard let value = self[name] else { throw missing(name) }
        guard let number = value.number else { throw invalid(value, name) }
        return number
    }

    func flag(_ name: String) throws(TrackingError) -> Bool {
        switch self[name] {
        case nil: return false
        case .bool(let flag): return flag
        case .string("true"), .string("True"): return true
        case .string("false"), .string("False"), .string(""): return false
        case .some(let value): throw invalid(value, name)
        }
    }

    /// A list of texts; in a query a single text is a list of one.
    func texts(_ name: String) throws(TrackingError) -> [String] {
        guard let value = self[name] else { return [] }
        if isQuery, let text = value.string { return [try whole(text, name)] }
        guard let values = value.array else { throw invalid(value, name) }
        var texts: [String] = []
        for value in values {
            guard let text = value.string else { throw invalid(value, name) }
            texts.append(try whole(text, name))
        }
        return texts
    }

    /// A list of objects, each with its own arguments.
    func objects<Element>(_ name: String, _ read: (Arguments) throws(TrackingError) -> Element) throws(TrackingError) -> [Element] {
        guard let value = self[name] else { return [] }
        guard let values = value.array else { throw invalid(value, name) }
        var elements: [Element] = []
        elements.reserveCapacity(values.count)
        let place = place
        for (index, value) in values.enumerated() {
            guard case .object = value else { throw invalid(value, "\(name)[\(index)]") }
            elements.append(try read(Arguments(value, in: (place, name, index))))
        }
        return elements
    }

    /// The arguments of a nested object.
    func object(_ name: String) throws(TrackingError) -> Arguments {
        guard let value = self[name] else { throw missing(name) }
        guard case .object = value else { throw invalid(value, name) }
        return Arguments(value, in: (place, name, nil))
    }

    /// The same, without any arguments when there is no such object.
    func optionalObject(_ name: String) throws(TrackingError) -> Arguments {
        self[name] == nil ? Arguments(.object([]), in: (place, name, nil)) : try object(name)
    }

    // MARK: What many requests share

    /// The run: `run_id`, or `run_uuid` as old clients say; both only when they agree.
    func run() throws(TrackingError) -> String {
        let id = try optionalText("run_id").flatMap { $0.isEmpty ? nil : $0 }
        let old = try optionalText("run_uuid").flatMap { $0.isEmpty ? nil : $0 }
        if let id, let old, id != old {
            throw TrackingError(.invalidParameter, "Conflicting values for 'run_id' ('\(id)') and 'run_uuid' ('\(old)')")
        }
        guard let run = id ?? old else { throw missing("run_id") }
        return run
    }

    /// `[{"key":…,"value":…}]`
    func pairs(_ name: String) throws(TrackingError) -> [KeyValue] {
        try objects(name) { (pair) throws(TrackingError) in
            guard let key = try pair.optionalText("key") else { throw pair.missing("key") }
            return KeyValue(key, try pair.optionalText("value") ?? "")
        }
    }

    func tag() throws(TrackingError) -> KeyValue {
        KeyValue(try text("key"), try optionalText("value") ?? "")
    }

    func metric() throws(TrackingError) -> Metric {
        guard let key = try optionalText("key") else { throw missing("key") }
        let name = try optionalText("dataset_name") ?? "", digest = try optionalText("dataset_digest") ?? ""
        return Metric(
            key, try number("value"), timestamp: try int("timestamp"), step: try optionalInt("step") ?? 0,
            modelID: try optionalText("model_id"), dataset: name.isEmpty ? nil : (name, digest))
    }

    func view(_ name: String) throws(TrackingError) -> ViewType {
        guard let value = self[name] else { return .activeOnly }
        if let view = value.string.flatMap({ ViewType(rawValue: $0) }) { return view }
        switch value.int64 {
        case 1: return .activeOnly
        case 2: return .deletedOnly
        case 3: return .all
        default: throw invalid(value, name)
        }
    }
}
