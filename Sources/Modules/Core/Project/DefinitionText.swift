import Domain
import Expressions
import Features
import Table

/// The definitions that decide what rows there are, in one canonical text.
enum DefinitionText {
    static func hash(streams: [StreamDefinition], tables: [TableDefinition], views: [ViewDefinition]) -> ContentHash {
        let lines = streams.flatMap(lines) + tables.map(line) + views.flatMap(lines)
        return ContentHash(of: lines.joined(separator: "\n"))
    }

    private static func lines(_ stream: StreamDefinition) -> [String] {
        var lines = ["stream \(stream.name) key \(stream.key.joined(separator: ",")) time \(stream.time)"]
        lines += stream.fields.map { field in
            "field \(field.name) \(field.type.rawValue)\(field.isOptional ? "?" : "") from \(field.sources.joined(separator: ","))"
        }
        if let dedupe = stream.dedupe { lines.append("dedupe \(dedupe.field) \(dedupe.keep)") }
        return lines + stream.require.map { "require \($0.condition.definition)" }
    }

    private static func line(_ table: TableDefinition) -> String {
        "table \(table.name) path \(table.path) time \(table.time) key \(table.key.joined(separator: ","))"
    }

    private static func lines(_ view: ViewDefinition) -> [String] {
        var lines = ["view \(view.name) from \(view.from.name)"]
        if let window = view.window { lines.append(window.canonical) }
        if view.emit != .final { lines.append("emit \(view.emit.rawValue)") }
        if let outliers = view.outliers { lines.append(outliers.canonical) }
        lines += view.lookups.map { "lookup \($0.table.name) \($0.table.hash.hex) on \($0.on.joined(separator: ","))" }
        lines += view.joins.map { "join \($0.view) within \($0.within)" }
        lines += view.columns.map { "column \($0.name) \($0.expression.definition)" }
        if let filter = view.filter { lines.append("where \(filter.definition)") }
        return lines
    }
}

extension ViewDefinition.Input {
    var name: String {
        switch self {
        case .stream(let name), .view(let name), .table(let name): name
        }
    }
}
