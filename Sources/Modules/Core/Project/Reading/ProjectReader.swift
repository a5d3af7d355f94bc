import Domain
import Expressions

/// Reads typed values out of a tree of ``SourceNode`` and collects what is wrong instead of stopping at it.
///
/// A function that returns an optional has reported why when it returns `nil`. Where a name refers to something that is
/// wrong itself nothing more is said: one mistake, one message.
struct ProjectReader {
    let file: String
    private(set) var errors: [ProjectError] = []
    /// What `canonical` may look texts up in, by name.
    var vocabularies: [String: Vocabulary] = [:]

    init(file: String) { self.file = file }

    mutating func refuse(_ position: SourceNode.Position, _ message: String) {
        errors.append(ProjectError(file: file, position: position, message: message))
    }

    /// A complaint about a value, at the value.
    mutating func refuse(_ item: Item, _ message: String) { refuse(item.node.position, item.prefix + message) }

    /// A complaint about the key itself, or about something that is missing under it.
    mutating func refuseKey(_ item: Item, _ message: String) { refuse(item.anchor, item.prefix + message) }

    // MARK: Maps and lists

    /// - Parameters:
    ///   - keys: The keys that may occur.
    ///   - later: Keys that are planned: known, refused as not supported yet.
    mutating func section(_ item: Item, keys: [String], later: [String] = []) -> Section? {
        guard let entries = entries(item) else { return nil }
        var known: [String: Item] = [:]
        for (key, value) in entries {
            if keys.contains(key) {
                known[key] = value
            } else if later.contains(key) {
                refuse(value.anchor, "\(item.prefix)\"\(key)\" is not supported yet; known: \(keys.sorted().joined(separator: ", "))")
            } else {
                refuse(value.anchor, "\(item.prefix)unknown key \"\(key)\"" + SpellingSuggestion.hint(for: key, among: keys))
            }
        }
        return Section(item: item, values: known)
    }

    /// The entries of a map whose keys are names that the file's author chose.
    mutating func entries(_ item: Item) -> [(key: String, value: Item)]? {
        guard case .map(let entries) = item.node.content else {
            mismatch(item, "a map")
            return nil
        }
        return entries.map { entry in
            let path = item.path.isEmpty ? entry.key : "\(item.path).\(entry.key)"
            return (entry.key, Item(path: path, node: entry.value, anchor: entry.keyPosition))
        }
    }

    mutating func list(_ item: Item) -> [Item]? {
        guard case .list(let nodes) = item.node.content else {
            mismatch(item, "a list")
            return nil
        }
        return nodes.enumerated().map { Item(path: "\(item.path)[\($0)]", node: $1, anchor: $1.position) }
    }

    /// The value of a key that must be there.
    mutating func required(_ section: Section, _ key: String) -> Item? {
        if let item = section[key] { return item }
        refuseKey(section.item, "\"\(key)\" is missing")
        return nil
    }

    // MARK: Scalars

    mutating func text(_ item: Item, _ expected: String = "text") -> String? {
        if case .scalar(let text, _) = item.node.content, !text.isEmpty { return text }
        mismatch(item, expected)
        return nil
    }

    /// A scalar in a form of its own.
    mutating func form<Value>(_ item: Item, _ expected: String, _ parse: (String) -> Value?) -> Value? {
        if case .scalar(let text, _) = item.node.content, let value = parse(text) { return value }
        mismatch(item, expected)
        return nil
    }

    mutating func integer(_ item: Item, _ range: ClosedRange<Int>) -> Int? {
        let bounds = range.upperBound == .max ? "\(range.lowerBound) on" : "\(range.lowerBound) to \(range.upperBound)"
        return plain(item, "a whole number from \(bounds)") { text in
            ValueForms.integer(text).flatMap { Int(exactly: $0) }.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func number(_ item: Item, _ expected: String, where isValid: (Double) -> Bool) -> Double? {
        plain(item, expected) { text in ValueForms.number(text).flatMap { isValid($0) ? $0 : nil } }
    }

    mutating func flag(_ item: Item) -> Bool? {
        plain(item, "true or false") { $0 == "true" ? true : $0 == "false" ? false : nil }
    }

    mutating func duration(_ item: Item, _ range: ClosedRange<EventTime.Milliseconds>) -> EventTime.Milliseconds? {
        let bounds = "from \(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
        return form(item, "a duration \(bounds), such as 500ms, 60s, 10m, 1h or 1d") { text in
            DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// One of an enumeration's raw values.
    mutating func choice<Value: RawRepresentable<String> & CaseIterable>(_ item: Item, _ what: String, as type: Value.Type) -> Value? {
        guard let text = text(item, what) else { return nil }
        if let value = Value(rawValue: text) { return value }
        refuse(item, "unknown \(what) \"\(text)\"" + SpellingSuggestion.hint(for: text, among: Value.allCases.map(\.rawValue)))
        return nil
    }

    /// A list of texts, or one text alone.
    mutating func texts(_ item: Item) -> [(text: String, item: Item)]? {
        if case .scalar = item.node.content { return text(item).map { [($0, item)] } }
        guard let items = list(item) else { return nil }
        var texts: [(String, Item)] = []
        for item in items {
            guard let text = text(item) else { return nil }
            texts.append((text, item))
        }
        return texts
    }

    /// A scalar that must not be quoted: `"5"` is text.
    private mutating func plain<Value>(_ item: Item, _ expected: String, _ parse: (String) -> Value?) -> Value? {
        if case .scalar(let text, isQuoted: false) = item.node.content, let value = parse(text) { return value }
        mismatch(item, expected)
        return nil
    }

    private mutating func mismatch(_ item: Item, _ expected: String) {
        let found =
            switch item.node.content {
            case .map: "a map"
            case .list: "a list"
            case .scalar("", isQuoted: false): "nothing"
            case .scalar(let text, isQuoted: true): "the text \"\(text)\""
            case .scalar(let text, isQuoted: false): text
            }
        refuse(item, "expected \(expected), found \(found)")
    }

    // MARK: Names and expressions

    /// Whether a name that the file gives to a stream, view, source or topic can be part of a path and of a topic.
    mutating func isName(_ item: Item, _ name: String) -> Bool {
        if ValueForms.isName(name) { return true }
        refuseKey(item, "\"\(name)\" cannot be a name; use letters, digits, \".\", \"_\" and \"-\", at most 200 of them")
        return false
    }

    mutating func expression(_ item: Item) -> Expression? {
        guard let text = text(item, "an expression") else { return nil }
        do throws(ExpressionError) {
            return try Expression.parse(text, vocabularies: vocabularies)
        } catch {
            refuse(error, in: item)
            return nil
        }
    }

    /// A complaint about an expression, at the very character.
    /// - Parameter shift: Characters that were put before the text of the file.
    mutating func refuse(_ error: ExpressionError, in item: Item, shift: Int = 0) {
        guard !error.isConsequence else { return }
        let start = item.node.position
        guard case .scalar(let text, let isQuoted) = item.node.content, !text.contains(where: \.isNewline) else {
            return refuse(item, error.message)
        }
        let column = start.column + max(0, error.offset - shift) + (isQuoted ? 1 : 0)
        refuse(SourceNode.Position(line: start.line, column: column), "\(item.path): \(error.message)")
    }
}

/// A value of the file and its place.
struct Item {
    /// Its keys from the top, `views.candles.window`.
    let path: String
    let node: SourceNode
    /// Where the key stands, or the value itself in a list.
    let anchor: SourceNode.Position

    var prefix: String { path.isEmpty ? "" : path + ": " }
}

/// A map whose keys have been checked.
struct Section {
    let item: Item
    fileprivate let values: [String: Item]

    fileprivate init(item: Item, values: [String: Item]) {
        self.item = item
        self.values = values
    }

    subscript(key: String) -> Item? { values[key] }
}
