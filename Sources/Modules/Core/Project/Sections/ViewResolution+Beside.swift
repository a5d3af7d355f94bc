import Expressions
import Features
import Table

extension ViewResolution {
    /// What lookups and joins add to the input of a view.
    struct Beside {
        var lookups: [ViewDefinition.Lookup] = []
        var joins: [ViewDefinition.Join] = []
        var columns: Schema = []
        /// Columns of joined views that are wrong themselves.
        var broken: Set<String> = []
        /// Whether everything could be found; if not, it is not known which columns there would be.
        var isSound = true
    }

    func beside(_ section: ViewSection, root: ViewDefinition.Input, _ input: ViewSchema, _ reader: inout ProjectReader) -> Beside {
        var beside = Beside()
        beside.isSound = !section.hasBrokenBeside
        for section in section.lookups {
            if let lookup = section.resolve(lookups, declared: declared, columns: input.columns, &reader) {
                beside.lookups.append(lookup)
                beside.columns += lookup.table.columns
            } else {
                beside.isSound = false
            }
        }
        for section in section.joins {
            let prefix = LookupTable.prefix(section.view)
            if let join = section.resolve(self, root: root, key: input.key, declared: declared, &reader),
                let schema = schemas[join.view]
            {
                beside.joins.append(join)
                beside.columns += schema.declared.map { (prefix + $0.name, $0.type) }
                beside.broken.formUnion((broken[join.view] ?? []).map { prefix + $0 })
            } else {
                beside.isSound = false
            }
        }
        refuseClashes(section, beside.columns, with: input.columns, &reader)
        return beside
    }

    /// A view of another stream that a view, or one that it rests on, joins.
    func joinOfOtherStream(under name: String) -> String? {
        var waiting = [name], seen: Set<String> = []
        while let next = waiting.popLast() {
            guard seen.insert(next).inserted, let view = definitions.first(where: { $0.name == next }) else { continue }
            if let join = view.joins.first(where: { roots[$0.view] != roots[name] }) { return join.view }
            if case .view(let parent) = view.from { waiting.append(parent) }
            waiting += view.joins.map(\.view)
        }
        return nil
    }

    /// Two tables or views may have names that begin their columns alike, and the input may have such a column itself.
    private func refuseClashes(_ section: ViewSection, _ columns: Schema, with input: Schema, _ reader: inout ProjectReader) {
        guard let item = section.lookups.first?.tableItem ?? section.joins.first?.viewItem else { return }
        var known = Set(input.map(\.name))
        for column in columns where !known.insert(column.name).inserted {
            reader.refuse(item, "two columns of the input would be called \"\(column.name)\"")
        }
    }

    /// Views of a table are computed from its files, where nothing is looked up.
    func refuseBeside(_ section: ViewSection, _ reader: inout ProjectReader) {
        for item in section.lookups.map(\.tableItem) + section.joins.map(\.viewItem) {
            reader.refuse(item, "lookup: and join: are for views of a stream; in a view of a table they are not supported yet")
        }
    }
}
