import Domain
import Features
import FeatureStore
import Web

/// The values of one join key, one an entity.
struct KeyColumn {
    /// JSON text.
    var json = TextList()
    /// What the value says in the key of a record; empty where the entity is none.
    var keys = TextList()

    var count: Int { json.count }

    mutating func append(_ value: Value) {
        json.append { JSONText.append(value, to: &$0) }
        keys.append { bytes in
            switch value {
            case .string(let text): bytes += text.utf8
            case .int(let number): JSONText.append(number, to: &bytes)
            default: break
            }
        }
    }
}

/// The body of `/get-online-features`, resolved against the views there are.
struct OnlineRequest {
    let plan: OnlinePlan
    /// In the order of the plan's keys, all of one length.
    let keys: [KeyColumn]

    /// Entities of one request at most.
    static let maxEntities = 10_000

    init(plan: OnlinePlan, keys: [KeyColumn]) {
        self.plan = plan
        self.keys = keys
    }

    /// - Throws: ``FeastFailure`` that names what is unknown, missing or of the wrong type.
    init(_ body: some Sequence<UInt8>, _ catalogue: OnlineCatalogue) throws(FeastFailure) {
        let document = try Self.document(body)
        let wanted = try Self.features(document, catalogue)
        guard let entities = document["entities"]?.members else {
            throw .invalid("\"entities\" must be an object of lists, one a join key")
        }
        plan = try OnlinePlan(wanted, full: document["full_feature_names"]?.bool ?? false, catalogue)
        var keys: [KeyColumn] = []
        for key in plan.keys { keys.append(try Self.values(of: key, entities, keys.first?.count)) }
        self.keys = keys
    }

    var count: Int { keys.first?.count ?? 0 }

    /// The keys of the records that hold the entities of a part; empty where the entity is none.
    func entities(of part: OnlinePlan.Part) -> TextList {
        guard part.keys.count != 1 else { return keys[part.keys[0]].keys }
        var composite = TextList()
        for row in 0..<count {
            composite.append { bytes in
                guard part.keys.allSatisfy({ !keys[$0].keys.range(row).isEmpty }) else { return }
                for (place, key) in part.keys.enumerated() {
                    bytes.append(UInt8(ascii: place == 0 ? "[" : ","))
                    bytes += keys[key].json.bytes[keys[key].json.range(row)]
                }
                bytes.append(UInt8(ascii: "]"))
            }
        }
        return composite
    }

    private static func document(_ body: some Sequence<UInt8>) throws(FeastFailure) -> JSONValue {
        let document: JSONValue
        do throws(JSONReader.Error) { document = try JSONReader.read(body) } catch { throw .invalid("the body is not JSON: \(error)") }
        guard document.members != nil else { throw .invalid("the body must be a JSON object") }
        return document
    }

    private static func features(_ document: JSONValue, _ catalogue: OnlineCatalogue) throws(FeastFailure) -> [FeatureName] {
        if let name = document["feature_service"]?.string, !name.isEmpty {
            if let service = catalogue.store.services.first(where: { $0.name == name }) { return service.features }
            // A view is a service of all its features.
            if let view = catalogue.views[name] { return view.view.schema.features.map { FeatureName(view: name, column: $0) } }
            throw .noService(name, project: catalogue.project)
        }
        guard let items = document["features"]?.array, !items.isEmpty else { throw .invalid("No features specified for retrieval") }
        var wanted: [FeatureName] = []
        wanted.reserveCapacity(items.count)
        for item in items {
            guard let text = item.string, let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                throw .invalid(
                    "Invalid feature reference \(item.string.map { "'\($0)'" } ?? ""). Expected format: '<feature_view>:<feature>'")
            }
            wanted.append(FeatureName(view: String(text[..<colon]), column: String(text[text.index(after: colon)...])))
        }
        return wanted
    }

    /// The values of a join key, as many as those of the others.
    private static func values(
        of key: (name: String, type: ValueType), _ entities: [JSONValue.Member], _ count: Int?
    ) throws(FeastFailure) -> KeyColumn {
        guard let items = entities.last(where: { $0.key == key.name })?.value.array, !items.isEmpty else {
            throw .invalid(
                "Missing join key values for keys: ['\(key.name)']. Provided join_key_values: \(entities.map(\.key))")
        }
        guard items.count <= maxEntities else { throw .invalid("\(items.count) entities; at most \(maxEntities) in one request") }
        guard count == nil || count == items.count else {
            throw .invalid("join key \"\(key.name)\" has \(items.count) values, another has \(count ?? 0)")
        }
        var values = KeyColumn()
        for item in items {
            switch (key.type, item) {
            case (_, .null): values.append(.null)
            case (.string, .string(let text)): values.append(.string(text))
            case (.string, .int(let number)): values.append(.string(String(number)))
            default:
                guard key.type == .int, let number = item.int64 else {
                    throw .invalid("join key \"\(key.name)\" is \(key.type.rawValue): a value of another type was given")
                }
                values.append(.int(number))
            }
        }
        return values
    }
}
