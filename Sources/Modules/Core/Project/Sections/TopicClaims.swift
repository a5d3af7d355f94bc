/// Who writes to which topic: two owners of one topic would mix their records.
struct TopicClaims {
    /// Topics of the system itself, before the prefix.
    static let system = ["predictions", "alerts", "retrain-requests", "registry-events"]

    private var owners: [String: String] = [:]

    init(prefix: String) {
        for topic in Self.system { owners[prefix + topic] = "the system itself" }
    }

    /// - Parameters:
    ///   - suffixes: Of the topics that come with it: `.dead`, `.latest`.
    mutating func claim(_ topic: String, suffixes: [String], owner: String, _ item: Item, _ reader: inout ProjectReader) {
        for name in [topic] + suffixes.map({ topic + $0 }) {
            if let other = owners.updateValue(owner, forKey: name) {
                owners[name] = other
                return reader.refuseKey(item, "the topic \"\(name)\" belongs to \(other)")
            }
        }
    }
}
