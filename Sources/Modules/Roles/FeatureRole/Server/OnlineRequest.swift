import Domain
import Features
import FeatureStore
import Web

/// The body of `/get-online-features`, resolved against the views there are.
struct OnlineRequest {
    /// The features of one view, for all entities.
    struct Part {
        let view: OnlineCells
        /// Places in the view's columns.
        let columns: [Int]
        /// `nil` where the entity is none.
        let entities: [EntityKey?]
        /// Milliseconds; 0 is no limit.
        let ttl: EventTime.Milliseconds
    }

    /// The key columns that are echoed, in the order of the views, each once.
    let keys: [(name: String, values: [Value])]
    let parts: [Part]
    /// Of the results: keys, then features, view by view.
    let names: [String]

    /// What may be asked for.
    struct Catalogue: Sendable {
        let project: String
        let views: [String: OnlineCells]
        let store: FeatureStoreDefinition

        init(project: String, views: [OnlineCells], store: FeatureStoreDefinition) {
            self.project = project
            self.views = Dictionary(views.map { ($0.view.definition.name, $0) }, uniquingKeysWith: { first, _ in first })
            self.store = store
        }
    }

    /// Entities of one request at most.
    static let maxEntities = 10_000

    /// - Throws: ``FeastFailure`` that names what is unknown, missing or of the wrong type.
    init(_ body: [UInt8], _ catalogue: Catalogue) throws(FeastFailure) {
        let document = try Self.document(body)
        let wanted = try Self.features(document, catalogue)
        guard let entities = document["entities"]?.members else {
            throw .invalid("\"entities\" must be an object of lists, one a join key")
        }
        let full = document["full_feature_names"]?.bool ?? false
        var order: [String] = [], columns: [String: [Int]] = [:], names: [String] = []
        for feature in wanted {
            guard let view = catalogue.views[feature.view] else { throw .noView(feature.view, project: catalogue.project) }
            guard let column = view.columns.firstIndex(of: feature.column) else {
                let hint = SpellingSuggestion.hint(for: feature.column, among: view.view.schema.features)
                throw .invalid("Feature \(feature.column) not found in projection \(feature.view)\(hint)")
            }
            if columns[feature.view] == nil { order.append(feature.view) }
            columns[feature.view, default: []].append(column)
        }
        var keys: [(name: String, values: [Value])] = [], parts: [Part] = [], count: Int?
        for name in order {
            guard let view = catalogue.views[name], let columns = columns[name] else { continue }
            var own: [[Value]] = []
            for key in view.view.schema.key {
                if let known = keys.first(where: { $0.name == key.name }) {
                    own.append(known.values)
                    continue
                }
                let values = try Self.values(of: key, entities, count)
                count = values.count
                keys.append((key.name, values))
                own.append(values)
            }
            parts.append(
                Part(
                    view: view, columns: columns, entities: try Self.keys(own, count ?? 0), ttl: catalogue.store.ttl[name] ?? 0))
            names += columns.map { full ? "\(name)__\(view.columns[$0])" : view.columns[$0] }
        }
        self.keys = keys
        self.parts = parts
        self.names = keys.map(\.name) + names
        if Set(self.names).count != self.names.count {
            var seen: Set<String> = []
            throw .collision(self.names.first { !seen.insert($0).inserted } ?? "")
        }
    }

    private static func document(_ body: [UInt8]) throws(FeastFailure) -> JSONValue {
        let document: JSONValue
        do throws(JSONReader.Error) { document = try JSONReader.read(body) } catch { throw .invalid("the body is not JSON: \(error)") }
        guard document.members != nil else { throw .invalid("the body must be a JSON object") }
        return document
    }

    private static func features(_ document: JSONValue, _ catalogue: Catalogue) throws(FeastFailure) -> [FeatureName] {
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
    ) throws(FeastFailure) -> [Value] {
        guard let items = entities.last(where: { $0.key == key.name })?.value.array, !items.isEmpty else {
            throw .invalid(
                "Missing join key values for keys: ['\(key.name)']. Provided join_key_values: \(entities.map(\.key))")
        }
        guard items.count <= maxEntities else { throw .invalid("\(items.count) entities; at most \(maxEntities) in one request") }
        guard count == nil || count == items.count else {
            throw .invalid("join key \"\(key.name)\" has \(items.count) values, another has \(count ?? 0)")
        }
        var values: [Value] = []
        values.reserveCapacity(items.count)
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

    private static func keys(_ parts: [[Value]], _ count: Int) throws(FeastFailure) -> [EntityKey?] {
        if parts.count == 1 {
            var keys: [EntityKey?] = []
            keys.reserveCapacity(count)
            for value in parts[0] { keys.append(try? EntityKey([value])) }
            return keys
        }
        return (0..<count).map { row in try? EntityKey(parts.map { $0[row] }) }
    }
}
