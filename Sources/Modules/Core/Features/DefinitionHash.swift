import Domain
import Expressions
import Table

/// What a column means, as a hash: equal hashes, equal values for equal input, whatever else the project file says.
///
/// A column's hash covers its normalised expression, the hashes of the columns it reads, what rows there are (key,
/// window, filter, stream rules) and the version of the engine's semantics. Adding a column leaves the others alone.
enum DefinitionHash {
    /// Raised when the engine computes something differently from before.
    static let engineVersion = "1"

    /// The hash of every declared column, by view and column name, and of what rows there are, by view.
    static func columns(
        of views: [CompiledView], upstream: [Int?], joined: [[JoinedView]], others: [CompiledViews.Other], stream: StreamDefinition
    ) -> (columns: [String: [String: ContentHash]], rows: [String: ContentHash]) {
        var hashes: [String: [String: ContentHash]] = [:]
        var rows: [ContentHash] = []
        let root = rowsHash(of: stream)
        for (index, view) in views.enumerated() {
            let parentRows = upstream[index].map { rows[$0] } ?? root
            let parent = upstream[index].map { hashes[views[$0].definition.name] ?? [:] } ?? fieldHashes(stream)
            let own = rowsHash(of: view.definition, parent: parentRows)
            rows.append(own)
            let beside = besideHashes(
                view.definition, parent: parent,
                joined: joined[index].map { place in
                    switch place {
                    case .own(let other): return (hashes[views[other].definition.name] ?? [:], rows[other])
                    case .other(let stream, let view):
                        let other = others[stream].views, name = other.views[view].definition.name
                        return (other.hashes[name] ?? [:], other.rowHashes[name] ?? ContentHash(of: name))
                    }
                })
            hashes[view.definition.name] = columns(of: view, rows: own, parent: parent.merging(beside) { $1 })
        }
        return (hashes, Dictionary(zip(views.map(\.definition.name), rows), uniquingKeysWith: { $1 }))
    }

    private static func columns(
        of view: CompiledView, rows: ContentHash, parent: [String: ContentHash]
    ) -> [String: ContentHash] {
        var known = parent, own: [String: ContentHash] = [:]
        for column in view.definition.columns {
            let ancestors = column.expression.columnReferences.sorted().map { "\($0)=\(known[$0]?.hex ?? $0)" }
            let hash = ContentHash(
                of: ([engineVersion, rows.hex, column.name, column.expression.definition] + ancestors).joined(separator: "\n"))
            // A function with several outputs names them after the column: macd, macd_signal, macd_hist.
            for output in view.schema.declared where output.name == column.name || isPart(output.name, of: column.name, in: view) {
                own[output.name] = hash
                if known[output.name] == nil { known[output.name] = hash }
            }
        }
        guard let outliers = view.definition.outliers, let hash = own[outliers.column] else { return own }
        let judged = ContentHash(of: hash.hex + "\n" + outliers.canonical)
        if let flag = outliers.flagColumn { own[flag] = judged }
        if outliers.action == .null { own[outliers.column] = judged }
        return own
    }

    /// The hashes of the columns that lookups and joins add: of what they say, and of how it is found.
    private static func besideHashes(
        _ view: ViewDefinition, parent: [String: ContentHash], joined: [(columns: [String: ContentHash], rows: ContentHash)]
    ) -> [String: ContentHash] {
        var hashes: [String: ContentHash] = [:]
        for lookup in view.lookups {
            let on = lookup.on.map { parent[$0]?.hex ?? $0 }
            for column in lookup.table.columns {
                hashes[column.name] = ContentHash(of: (["lookup", column.name, lookup.table.hash.hex] + on).joined(separator: "\n"))
            }
        }
        for (join, other) in zip(view.joins, joined) {
            for (name, hash) in other.columns {
                let parts = ["join", name, hash.hex, other.rows.hex, String(join.within)]
                hashes[LookupTable.prefix(join.view) + name] = ContentHash(of: parts.joined(separator: "\n"))
            }
        }
        return hashes
    }

    private static func isPart(_ output: String, of column: String, in view: CompiledView) -> Bool {
        output.hasPrefix(column + "_") && !view.definition.columns.contains { $0.name == output }
            && !view.definition.columns.contains { $0.name.utf8.count > column.utf8.count && output.hasPrefix($0.name + "_") }
    }

    private static func rowsHash(of stream: StreamDefinition) -> ContentHash {
        var parts = [stream.key.joined(separator: ","), stream.time]
        if let dedupe = stream.dedupe { parts.append("dedupe \(dedupe.field) \(dedupe.keep)") }
        parts += stream.require.map { "require \($0.condition.definition)" }
        return ContentHash(of: parts.joined(separator: "\n"))
    }

    private static func rowsHash(of view: ViewDefinition, parent: ContentHash) -> ContentHash {
        var parts = [parent.hex]
        if let window = view.window { parts.append(window.canonical) }
        if let filter = view.filter { parts.append("where \(filter.definition)") }
        // What is held back is missing from the rows that views of this one look back on.
        if let outliers = view.outliers, outliers.action == .quarantine { parts.append(outliers.canonical) }
        return ContentHash(of: parts.joined(separator: "\n"))
    }

    private static func fieldHashes(_ stream: StreamDefinition) -> [String: ContentHash] {
        var hashes: [String: ContentHash] = [:]
        for field in stream.fields {
            hashes[field.name] = ContentHash(
                of: "\(field.name) \(field.type.rawValue) \(field.isOptional) \(field.sources.joined(separator: ","))")
        }
        return hashes
    }
}
