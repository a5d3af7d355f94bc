import Domain
import Features
import FeatureStore

/// What may be asked for.
struct OnlineCatalogue: Sendable {
    let project: String
    let views: [String: OnlineCells]
    let store: FeatureStoreDefinition

    init(project: String, views: [OnlineCells], store: FeatureStoreDefinition) {
        self.project = project
        self.views = Dictionary(views.map { ($0.view.definition.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.store = store
    }
}

/// A list of features resolved against the views there are: where every value of an answer comes from.
struct OnlinePlan: Sendable {
    /// The features of one view.
    struct Part: Sendable {
        let view: OnlineCells
        /// Places in the view's columns.
        let columns: [Int]
        /// Places among the plan's keys.
        let keys: [Int]
        /// Milliseconds; 0 is no limit.
        let ttl: EventTime.Milliseconds
    }

    /// The key columns that are echoed, in the order of the views, each once.
    let keys: [(name: String, type: ValueType)]
    let parts: [Part]
    /// Of the results: keys, then features, view by view.
    let names: [String]
    /// The names as JSON texts with commas between.
    let namesText: [UInt8]

    /// - Parameter full: Whether features are named `view__feature`.
    /// - Throws: ``FeastFailure`` that names what is unknown, or two features of one name.
    init(_ wanted: [FeatureName], full: Bool, _ catalogue: OnlineCatalogue) throws(FeastFailure) {
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
        var keys: [(name: String, type: ValueType)] = [], parts: [Part] = []
        for name in order {
            guard let view = catalogue.views[name], let columns = columns[name] else { continue }
            var own: [Int] = []
            for key in view.view.schema.key {
                let place = keys.firstIndex { $0.name == key.name } ?? keys.count
                if place == keys.count { keys.append((key.name, key.type)) }
                own.append(place)
            }
            parts.append(Part(view: view, columns: columns, keys: own, ttl: catalogue.store.ttl[name] ?? 0))
            names += columns.map { full ? "\(name)__\(view.columns[$0])" : view.columns[$0] }
        }
        self.keys = keys
        self.parts = parts
        self.names = keys.map(\.name) + names
        namesText = Array(JSONText.array(self.names.map { .string($0) }).dropFirst().dropLast())
        if Set(self.names).count != self.names.count {
            var seen: Set<String> = []
            throw .collision(self.names.first { !seen.insert($0).inserted } ?? "")
        }
    }
}
