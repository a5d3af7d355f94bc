import Domain
import Expressions
import Features

/// `feature_store:`.
enum FeatureStoreSection {
    /// The longest age that a row may have: a century.
    private static let longest: EventTime.Milliseconds = 36_525 * 86_400_000

    /// - Parameter schemas: The views whose rows can be looked up.
    static func read(_ item: Item, schemas: [String: ViewSchema], declared: Set<String>, _ reader: inout ProjectReader)
        -> FeatureStoreDefinition
    {
        guard let section = reader.section(item, keys: ["ttl", "services"]) else { return FeatureStoreDefinition() }
        var ttl: [String: EventTime.Milliseconds] = [:]
        for (name, item) in section["ttl"].flatMap({ reader.entries($0) }) ?? [] {
            let limit = reader.duration(item, 1...longest)
            if isView(name, item, schemas, declared, &reader), let limit { ttl[name] = limit }
        }
        var services: [FeatureStoreDefinition.Service] = []
        for (name, item) in section["services"].flatMap({ reader.entries($0) }) ?? [] {
            guard let texts = reader.texts(item) else { continue }
            if texts.isEmpty { reader.refuse(item, "expected at least one view or view:column") }
            services.append(.init(name: name, features: texts.flatMap { features($0.text, $0.item, schemas, declared, &reader) }))
        }
        return FeatureStoreDefinition(ttl: ttl, services: services)
    }

    /// `view`, all its features, or `view:column`.
    private static func features(
        _ text: String, _ item: Item, _ schemas: [String: ViewSchema], _ declared: Set<String>, _ reader: inout ProjectReader
    ) -> [FeatureName] {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard isView(parts[0], item, schemas, declared, &reader), let schema = schemas[parts[0]] else { return [] }
        guard parts.count == 2 else { return schema.features.map { FeatureName(view: parts[0], column: $0) } }
        guard schema.features.contains(parts[1]) else {
            reader.refuse(
                item, "view \"\(parts[0])\" has no column \"\(parts[1])\"" + SpellingSuggestion.hint(for: parts[1], among: schema.features))
            return []
        }
        return [FeatureName(view: parts[0], column: parts[1])]
    }

    private static func isView(
        _ name: String, _ item: Item, _ schemas: [String: ViewSchema], _ declared: Set<String>, _ reader: inout ProjectReader
    ) -> Bool {
        if schemas[name] != nil { return true }
        if declared.contains(name) {
            // A view that is wrong itself has been complained about; one of a table has no rows to look up.
            if reader.errors.isEmpty { reader.refuse(item, "\"\(name)\" reads a table; only rows of a stream can be looked up") }
        } else {
            reader.refuse(item, "there is no view \"\(name)\"" + SpellingSuggestion.hint(for: name, among: Array(declared)))
        }
        return false
    }
}
