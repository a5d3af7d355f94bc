import Domain

@testable import Project

/// A project file as a literal; every value gets a line of its own, in order.
indirect enum Tree: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
    case text(String)
    case list([Tree])
    case map([(String, Tree)])

    init(dictionaryLiteral elements: (String, Tree)...) { self = .map(elements) }
    init(arrayLiteral elements: Tree...) { self = .list(elements) }
    init(stringLiteral text: String) { self = .text(text) }

    var node: SourceNode {
        var line = 0
        return node(&line)
    }

    private func node(_ line: inout Int) -> SourceNode {
        line += 1
        let position = SourceNode.Position(line: line, column: 1)
        switch self {
        case .text(let text): return SourceNode(.scalar(text, isQuoted: false), at: position)
        case .list(let items): return SourceNode(.list(items.map { $0.node(&line) }), at: position)
        case .map(let entries):
            return SourceNode(
                .map(entries.map { SourceNode.Entry(key: $0, keyPosition: position, value: $1.node(&line)) }), at: position)
        }
    }

    /// The same map with one key changed, or added at the end.
    func setting(_ key: String, _ value: Tree) -> Tree {
        guard case .map(var entries) = self else { return self }
        if let index = entries.firstIndex(where: { $0.0 == key }) {
            entries[index].1 = value
        } else {
            entries.append((key, value))
        }
        return .map(entries)
    }

    func removing(_ key: String) -> Tree {
        guard case .map(let entries) = self else { return self }
        return .map(entries.filter { $0.0 != key })
    }

    func project(topicPrefix: String? = nil, files: [String: NamedFile] = [:]) throws -> ProjectDefinition {
        try ProjectDefinition(validating: node, file: "mlops.yaml", directory: "/project", topicPrefix: topicPrefix, files: files)
    }

    /// Trades into candles into indicators, with the least that has to be said.
    static let small: Tree = [
        "project": "small",
        "streams": [
            "trades": [
                "key": "pair", "time": "at",
                "fields": ["pair": "string", "price": "double", "count": "int", "side": "string?", "at": "int"],
            ]
        ],
        "views": [
            "indicators": ["from": "candles", "columns": ["now": "close", "macd": "macd(close, 3, 5, 2)", "last_side": "side"]],
            "candles": [
                "from": "trades", "window": ["length": "60s"], "columns": ["close": "last(price)", "side": "last(side)", "n": "count()"],
            ],
        ],
    ]

    static let training: Tree = [
        "view": "indicators", "target": ["later": "lead(now, 10m) - now"], "candidates": [["kind": "ridge"], ["kind": "xgboost"]],
        "model": "small-10m",
    ]
}
