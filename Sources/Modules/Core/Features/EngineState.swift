import Domain

/// The saved form of an engine's state: entries of a key–value namespace.
///
/// Keys are a JSON array: `["meta"]`, `["key", entity]`, `["view", name, entity]`, `["shared", view]` for what the entities
/// of a view have in common, `["outliers", name, entity]`,
/// `["joined", name, entity, other view]`, `["dedupe", entity, part]`.
package enum EngineState {
    /// Raised when entries are written differently from before.
    package static var formatVersion: String { "2" }

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// The state was written by another format of this program.
        case format(found: String)
        /// Columns whose definition is not the one the state was made with.
        case definitionsChanged([String])
        /// An entry does not decode.
        case damaged(view: String)

        package var description: String {
            switch self {
            case .format(let found): "the saved state has format \(found), this program writes \(EngineState.formatVersion)"
            case .definitionsChanged(let columns):
                "the saved state was made with other definitions of \(columns.joined(separator: ", ")); "
                    + "keep the old definitions, or start with a new data directory"
            case .damaged(let view): "the saved state of \(view) is damaged"
            }
        }
    }

    package typealias Entry = (key: [UInt8], value: [UInt8])

    /// What the state was made with: format, and every column's definition hash.
    static func metaEntry(_ hashes: [String: [String: ContentHash]]) -> Entry {
        let lines = hashes.flatMap { view, columns in columns.map { "\(view).\($0) \($1.hex)" } }.sorted()
        return (JSONText.array([.string("meta")]), Array(([formatVersion] + lines).joined(separator: "\n").utf8))
    }

    /// - Throws: `format` or `definitionsChanged`, naming every column that was added, changed or removed.
    static func check(_ meta: [UInt8], against hashes: [String: [String: ContentHash]]) throws(Error) {
        let saved = String(decoding: meta, as: UTF8.self).split(separator: "\n").map(String.init)
        let wanted = String(decoding: metaEntry(hashes).value, as: UTF8.self).split(separator: "\n").map(String.init)
        guard saved.first == formatVersion else { throw .format(found: saved.first ?? "nothing") }
        let changed = Set(saved.dropFirst()).symmetricDifference(wanted.dropFirst())
        guard changed.isEmpty else {
            throw .definitionsChanged(Set(changed.map { String($0.prefix { $0 != " " }) }).sorted())
        }
    }
}
