import Domain

/// Builds the node tree of one document from its events.
struct Composer {
    private struct Anchored {
        let node: SourceNode
        /// Nodes in the tree below and including `node`.
        let size: Int
    }

    private let events: EventReader
    private var anchors: [String: Anchored] = [:]
    private var nodes = 0

    init(events: EventReader) { self.events = events }

    /// The only document there is.
    mutating func document() throws(YAMLError) -> SourceNode {
        _ = try events.next()
        let (start, position) = try events.next()
        guard case .documentStart = start else { throw error(.unsupported, position, "the file is empty") }
        let (first, at) = try events.next()
        let root = try node(first, at, depth: 1)
        _ = try events.next()
        let (end, next) = try events.next()
        guard case .streamEnd = end else { throw error(.unsupported, next, "a second document starts here; one file holds one") }
        return root
    }

    private mutating func node(
        _ event: EventReader.Event, _ at: SourceNode.Position, depth: Int
    ) throws(YAMLError) -> SourceNode {
        try count(1, at)
        guard depth <= YAMLReader.maxDepth else { throw error(.tooLarge, at, "nested deeper than \(YAMLReader.maxDepth) levels") }
        let before = nodes
        let made: SourceNode
        let name: String?
        switch event {
        case .alias(let alias): return try expand(alias, at)
        case .scalar(let text, let isQuoted, let tag, let anchor):
            let isText = try isText(tag, at, allowed: Self.scalarTags)
            made = SourceNode(.scalar(text, isQuoted: isQuoted || isText), at: at)
            name = anchor
        case .listStart(let tag, let anchor):
            _ = try isText(tag, at, allowed: ["seq"])
            made = SourceNode(.list(try list(depth: depth)), at: at)
            name = anchor
        case .mapStart(let tag, let anchor):
            _ = try isText(tag, at, allowed: ["map"])
            made = SourceNode(.map(try map(depth: depth)), at: at)
            name = anchor
        default: throw error(.syntax, at, "a value is missing here")
        }
        if let name { anchors[name] = Anchored(node: made, size: nodes - before + 1) }
        return made
    }

    private mutating func list(depth: Int) throws(YAMLError) -> [SourceNode] {
        var elements: [SourceNode] = []
        while true {
            let (event, at) = try events.next()
            if case .listEnd = event { return elements }
            elements.append(try node(event, at, depth: depth + 1))
        }
    }

    private mutating func map(depth: Int) throws(YAMLError) -> [SourceNode.Entry] {
        var entries: [SourceNode.Entry] = []
        var merged: [SourceNode.Entry] = []
        var positions: [String: SourceNode.Position] = [:]
        while true {
            let (event, at) = try events.next()
            if case .mapEnd = event { break }
            guard case .scalar(let key, let isQuoted, _, _) = event else { throw error(.unsupported, at, "a key must be text") }
            if let first = positions.updateValue(at, forKey: key) {
                throw error(.duplicateKey, at, "key \"\(key)\" was given before, at line \(first.line)")
            }
            let (valueEvent, valueAt) = try events.next()
            let value = try node(valueEvent, valueAt, depth: depth + 1)
            if key == "<<", !isQuoted {
                merged += try mergeable(value)
            } else {
                entries.append(SourceNode.Entry(key: key, keyPosition: at, value: value))
            }
        }
        // What the map says itself wins, then the earlier of what is merged in.
        var known = Set(entries.map(\.key))
        for entry in merged where known.insert(entry.key).inserted { entries.append(entry) }
        return entries
    }

    private func mergeable(_ value: SourceNode) throws(YAMLError) -> [SourceNode.Entry] {
        switch value.content {
        case .map(let entries): return entries
        case .list(let elements):
            var entries: [SourceNode.Entry] = []
            for element in elements {
                guard case .map(let more) = element.content else {
                    throw error(.unsupported, element.position, "only maps can be merged with <<")
                }
                entries += more
            }
            return entries
        case .scalar: throw error(.unsupported, value.position, "only maps can be merged with <<")
        }
    }

    /// The anchored node again. It keeps its inner places, so that a complaint points at the text that is wrong.
    private mutating func expand(_ alias: String, _ at: SourceNode.Position) throws(YAMLError) -> SourceNode {
        // An anchor is known once its node is complete, so nothing can contain itself.
        guard let anchored = anchors[alias] else { throw error(.syntax, at, "there is no anchor &\(alias) before this alias") }
        try count(anchored.size - 1, at)
        return SourceNode(anchored.node.content, at: at)
    }

    private mutating func count(_ more: Int, _ at: SourceNode.Position) throws(YAMLError) {
        nodes += more
        guard nodes <= YAMLReader.maxNodes else { throw error(.tooLarge, at, "more than \(YAMLReader.maxNodes) values") }
    }

    private static let scalarTags: Set<String> = ["str", "int", "float", "bool", "null", "timestamp"]

    /// Whether a tag says that a scalar is text although it is not quoted.
    private func isText(_ tag: String?, _ at: SourceNode.Position, allowed: Set<String>) throws(YAMLError) -> Bool {
        guard let tag, tag != "!" else { return tag == "!" }
        let core = "tag:yaml.org,2002:"
        guard tag.hasPrefix(core), allowed.contains(String(tag.dropFirst(core.count))) else {
            throw error(.unsupported, at, "tag \(tag) has no meaning here")
        }
        return tag == core + "str"
    }

    private func error(_ code: YAMLError.Code, _ at: SourceNode.Position, _ reason: String) -> YAMLError {
        YAMLError(code, file: events.file, at: at, reason)
    }
}
