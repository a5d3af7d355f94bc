import Domain

/// The saved form of an engine's state: entries of a key–value namespace.
///
/// Keys are a JSON array: `["meta"]`, `["key", entity]`, `["view", name, entity]`, `["shared", view]` for what the entities
/// of a view have in common, `["outliers", name, entity]`,
/// `["joined", name, entity, other view]`, `["dedupe", entity, part]`. Whoever saves the state may add entries of other names.
package enum EngineState {
    /// Raised when entries are written differently from before.
    package static var formatVersion: String { "3" }

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// The state was written by another format of this program.
        case format(found: String)
        /// Columns whose past is not the one their definition asks for.
        case definitionsChanged([String])
        /// An entry does not decode.
        case damaged(view: String)

        package var description: String {
            switch self {
            case .format(let found):
                "the saved state has format \(found), this program writes \(EngineState.formatVersion); " + Self.remedy
            case .definitionsChanged(let columns):
                "the saved state was made with other definitions of \(columns.joined(separator: ", ")); "
                    + "keep the old definitions, or \(Self.remedy)"
            case .damaged(let view): "the saved state of \(view) is damaged; " + Self.remedy
            }
        }

        private static var remedy: String {
            "run `mlops features --rebuild`, which computes every row again from the first event"
        }
    }

    package typealias Entry = (key: [UInt8], value: [UInt8])

    /// What a state was made with: format, every column's definition hash, and what each view remembers.
    struct Meta: Equatable {
        /// By `view.column`.
        var columns: [String: String] = [:]
        /// Per view the hash of what it remembers, empty when it remembers nothing.
        var memories: [String: String] = [:]

        init(_ views: CompiledViews) {
            for (view, columns) in views.hashes { for (name, hash) in columns { self.columns["\(view).\(name)"] = hash.hex } }
            for view in views.views { memories[view.definition.name] = view.memory?.hex ?? "" }
        }

        /// - Throws: `format`.
        init(_ bytes: [UInt8]) throws(Error) {
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            guard let first = lines.first, first == formatVersion else { throw .format(found: lines.first.map(String.init) ?? "nothing") }
            for line in lines.dropFirst() {
                let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
                guard words.count >= 3, let hash = words.last else { throw .damaged(view: "the meta entry") }
                // A column's name may have spaces.
                let name = words.dropFirst().dropLast().joined(separator: " ")
                if words[0] == "column" { columns[name] = hash } else { memories[name] = hash }
            }
        }

        var entry: Entry {
            let lines = columns.map { "column \($0) \($1)" } + memories.map { "memory \($0) \($1)" }
            return (JSONText.array([.string("meta")]), Array(([formatVersion] + lines.sorted()).joined(separator: "\n").utf8))
        }

        /// The columns for which a state made with `saved` is of no use.
        ///
        /// A column that has come or gone leaves the others alone, as long as its view remembers what it did before.
        func unusable(_ saved: Meta) -> [String] {
            var names = Set(columns.filter { name, hash in saved.columns[name].map { $0 != hash } ?? false }.keys)
            for (view, memory) in memories where memory != saved.memories[view] ?? "" {
                let known = Set(columns.keys).union(saved.columns.keys).filter { $0.hasPrefix(view + ".") }
                let different = known.filter { columns[$0] != saved.columns[$0] }
                names.formUnion(different.isEmpty ? [view] : different)
            }
            return names.sorted()
        }
    }
}
