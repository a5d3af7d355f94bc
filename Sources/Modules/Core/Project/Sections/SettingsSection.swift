import Domain

/// `settings:`, flattened; what its keys mean is for the reader of settings to say.
struct SettingsSection {
    static let prefixKey = "topic_prefix"

    private(set) var values: [String: String] = [:]
    /// `mlops.yaml:90:12` by key.
    private(set) var places: [String: String] = [:]
    private(set) var topicPrefix = ""

    init() {}

    /// - Parameter item: The map under `settings:`.
    init(_ item: Item, _ reader: inout ProjectReader) {
        add(item, key: "", &reader)
        guard let prefix = values.removeValue(forKey: Self.prefixKey) else { return }
        places[Self.prefixKey] = nil
        topicPrefix = prefix
    }

    private mutating func add(_ item: Item, key: String, _ reader: inout ProjectReader) {
        switch item.node.content {
        case .scalar("", isQuoted: false): reader.refuse(item, "expected a value, found nothing")
        case .scalar(let text, _):
            guard key != Self.prefixKey || text.isEmpty || ValueForms.isName(text) else {
                return reader.refuse(item, "\"\(text)\" cannot begin a topic; use letters, digits, \".\", \"_\" and \"-\"")
            }
            set(key, text, item, reader.file)
        case .list:
            guard let texts = reader.texts(item) else { return }
            set(key, texts.map(\.text).joined(separator: ","), item, reader.file)
        case .map:
            for (name, value) in reader.entries(item) ?? [] { add(value, key: key.isEmpty ? name : "\(key).\(name)", &reader) }
        }
    }

    private mutating func set(_ key: String, _ text: String, _ item: Item, _ file: String) {
        guard !key.isEmpty else { return }
        values[key] = text
        places[key] = "\(file):\(item.node.position.line):\(item.node.position.column)"
    }
}
