import Domain

/// The names an expression may use, and where their vectors stand in the frame.
struct Scope {
    struct Name {
        let index: Int
        let type: ValueType
    }

    /// Columns of the input by name; their indices are their positions in the schema.
    private let inputs: [String: Name]
    private let inputNames: [String]
    private var outputs: [String: Name] = [:]
    private var outputNames: [String] = []
    /// Columns whose own expression is wrong.
    private var broken: Set<String> = []
    /// Columns declared further down.
    var later: Set<String> = []
    /// Whether a declared column hides an input of its name; so in filters only.
    var outputsFirst = false

    init(_ schema: Schema) {
        var inputs: [String: Name] = [:]
        for (index, column) in schema.enumerated() { inputs[column.name] = Name(index: index, type: column.type) }
        self.inputs = inputs
        inputNames = schema.map(\.name)
    }

    /// Where in the frame the next output goes.
    var nextIndex: Int { inputNames.count + outputNames.count }

    var outputSchema: Schema { outputNames.map { ($0, outputs[$0]?.type ?? .double) } }

    func isInput(_ name: String) -> Bool { inputs[name] != nil }
    func hasOutput(_ name: String) -> Bool { outputs[name] != nil || broken.contains(name) }

    mutating func add(_ name: String, _ type: ValueType) {
        outputs[name] = Name(index: nextIndex, type: type)
        outputNames.append(name)
    }

    mutating func addBroken(_ name: String) { broken.insert(name) }

    func resolve(_ name: String, at offset: Int) throws(ExpressionError) -> Name {
        if let found = outputsFirst ? outputs[name] ?? inputs[name] : inputs[name] ?? outputs[name] { return found }
        if broken.contains(name) { throw ExpressionError("column \"\(name)\" is wrong itself", at: offset, isConsequence: true) }
        if later.contains(name) {
            throw ExpressionError("column \"\(name)\" is declared further down; a column may use those above it", at: offset)
        }
        throw ExpressionError("unknown column \"\(name)\"" + hint(name), at: offset)
    }

    func hint(_ name: String) -> String { SpellingSuggestion.hint(for: name, among: Array(Set(inputNames + outputNames))) }
}
