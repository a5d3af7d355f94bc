import Domain
import Expressions
import Features
import Learning

/// `training:`.
struct TrainingSection {
    private static let keys = [
        "view", "target", "task", "features", "exclude", "missing", "split", "metric", "baselines", "candidates", "budget", "gate", "model",
    ]

    let definition: TrainingDefinition
    let target: TargetProgram

    /// What the section may refer to.
    struct Context {
        let views: ViewResolution
        /// Every view that the file names, sound or not.
        let declaredViews: Set<String>
    }

    /// - Returns: `nil` when anything about the section is wrong, or when it rests on a view that is.
    static func read(_ item: Item, _ context: Context, _ reader: inout ProjectReader) -> TrainingSection? {
        let before = reader.errors.count
        guard let section = reader.section(item, keys: keys, later: ["schedule", "outliers"]) else { return nil }
        let task = section["task"].map { reader.choice($0, "task", as: TrainingDefinition.Task.self) } ?? .regression
        let metric = section["metric"].map { reader.choice($0, "metric", as: TrainingDefinition.Metric.self) } ?? .mae
        let missing = TrainingParts.missing(section["missing"], &reader)
        let split = TrainingParts.split(section["split"], &reader)
        let columns = Columns(section, context, &reader)
        let candidates = CandidateSection.read(section, columns, &reader)
        let budget = TrainingParts.budget(section["budget"], &reader)
        let gate = TrainingParts.gate(section["gate"], &reader)
        let model = Self.model(section, &reader)

        guard let columns else { return nil }
        let target = Self.target(section, columns, &reader)
        if let target, target.horizon > 0, split?.kind == .random, let item = section["split"] {
            reader.refuse(item, "a random split lets a model see the future of a target that lies ahead; use kind: time")
        }
        let excluded = Self.excluded(section, columns, &reader)
        let features = Self.features(section, columns, excluded: excluded, target: target, &reader)
        let baselines = Self.baselines(section, columns, &reader)
        Self.checkSlices(section, columns, &reader)
        guard reader.errors.count == before, let task, let metric, let missing, let split, let candidates, let budget, let gate, let model,
            let target, let features, let baselines
        else { return nil }
        let definition = TrainingDefinition(
            view: columns.view, targetName: target.program.name, horizon: target.horizon, task: task, features: features, missing: missing,
            split: split, metric: metric, baselines: baselines, candidates: candidates, budget: budget, gate: gate, model: model)
        return TrainingSection(definition: definition, target: target.program)
    }

    private static func model(_ section: Section, _ reader: inout ProjectReader) -> String? {
        guard let item = reader.required(section, "model"), let name = reader.text(item, "a name") else { return nil }
        return reader.isName(item, name) ? name : nil
    }

    // MARK: Columns

    /// The columns of the view that is learnt from.
    struct Columns {
        let view: String
        let schema: ViewSchema
        let broken: Set<String>

        init?(_ section: Section, _ context: Context, _ reader: inout ProjectReader) {
            guard let item = reader.required(section, "view"), let view = reader.text(item, "the name of a view") else { return nil }
            guard context.declaredViews.contains(view) else {
                reader.refuse(
                    item, "there is no view \"\(view)\"" + SpellingSuggestion.hint(for: view, among: Array(context.declaredViews)))
                return nil
            }
            guard let schema = context.views.schemas[view] else {
                if case .table(let table)? = context.views.roots[view] {
                    reader.refuse(item, "learning from the table \"\(table)\" is not supported yet; views of a stream are")
                }
                return nil
            }
            self.view = view
            self.schema = schema
            broken = context.views.broken[view] ?? []
        }

        /// - Returns: `nil` when the view has no such column; nothing is said about one that is wrong itself.
        func type(of name: String, _ item: Item, _ reader: inout ProjectReader) -> ValueType? {
            if let column = schema.columns.first(where: { $0.name == name }) { return column.type }
            if !broken.contains(name) {
                let hint = SpellingSuggestion.hint(for: name, among: schema.columns.map(\.name))
                reader.refuse(item, "the view \"\(view)\" has no column \"\(name)\"" + hint)
            }
            return nil
        }
    }

    struct Target {
        let program: TargetProgram
        /// The column that is the target, when it is one.
        let column: String?

        var horizon: EventTime.Milliseconds { program.horizon }
    }

    /// `{name: expression}`, or the name of a column.
    private static func target(_ section: Section, _ columns: Columns, _ reader: inout ProjectReader) -> Target? {
        guard let item = reader.required(section, "target") else { return nil }
        var named = (name: "", item: item)
        if case .map = item.node.content {
            guard let entries = reader.entries(item) else { return nil }
            guard let only = entries.first, entries.count == 1 else {
                reader.refuse(item, "expected one target, found \(entries.count)")
                return nil
            }
            named = (only.key, only.value)
        }
        guard let expression = reader.expression(named.item) else { return nil }
        if named.name.isEmpty { named.name = expression.column ?? "target" }
        if !expression.columnReferences.isDisjoint(with: columns.broken) { return nil }
        do throws(ExpressionError) {
            let program = try TargetProgram(name: named.name, expression: expression, schema: columns.schema.columns)
            guard program.type.isNumeric else {
                reader.refuse(named.item, "the target is \(program.type.rawValue); a regression predicts a number")
                return nil
            }
            if program.horizon > 0, columns.schema.key.isEmpty {
                reader.refuse(named.item, "lead looks along the rows of a key, and the view \"\(columns.view)\" has none")
            }
            return Target(program: program, column: expression.column)
        } catch {
            reader.refuse(error, in: named.item)
            return nil
        }
    }

    private static func excluded(_ section: Section, _ columns: Columns, _ reader: inout ProjectReader) -> Set<String> {
        var names: Set<String> = []
        for (name, item) in section["exclude"].flatMap({ reader.texts($0) }) ?? [] {
            _ = columns.type(of: name, item, &reader)
            names.insert(name)
        }
        return names
    }

    private static func features(
        _ section: Section, _ columns: Columns, excluded: Set<String>, target: Target?, _ reader: inout ProjectReader
    ) -> [String]? {
        guard let item = section["features"] else {
            let features = columns.schema.declared.filter { column in
                (column.type.isNumeric || column.type == .string) && !excluded.contains(column.name) && column.name != target?.column
                    && !columns.schema.key.contains { $0.name == column.name }
            }
            if features.isEmpty, columns.broken.isEmpty {
                reader.refuseKey(section.item, "the view \"\(columns.view)\" leaves no column to learn from")
            }
            return features.map(\.name)
        }
        guard let listed = reader.texts(item) else { return nil }
        if listed.isEmpty { reader.refuse(item, "expected at least one column, found an empty list") }
        var features: [String] = []
        for (name, item) in listed where columns.type(of: name, item, &reader) != nil {
            if features.contains(name) { reader.refuse(item, "\"\(name)\" is named twice") }
            if excluded.contains(name) { reader.refuse(item, "\"\(name)\" is excluded") }
            if name == target?.column { reader.refuse(item, "\"\(name)\" is the target") }
            features.append(name)
        }
        return features
    }

    /// `current(COLUMN)` and `mean`.
    private static func baselines(
        _ section: Section, _ columns: Columns, _ reader: inout ProjectReader
    ) -> [TrainingDefinition.Baseline]? {
        guard let item = section["baselines"] else { return [.mean] }
        guard let texts = reader.texts(item) else { return nil }
        if texts.isEmpty { reader.refuse(item, "the gate needs at least one baseline, such as mean") }
        var baselines: [TrainingDefinition.Baseline] = []
        for (text, item) in texts {
            if text == "mean" {
                baselines.append(.mean)
            } else if let call = ValueForms.call(text), call.name == "current", call.arguments.count == 1 {
                guard let type = columns.type(of: call.arguments[0], item, &reader) else { continue }
                if !type.isNumeric { reader.refuse(item, "\"\(call.arguments[0])\" is \(type.rawValue), not a number") }
                baselines.append(.current(call.arguments[0]))
            } else {
                reader.refuse(item, "unknown baseline \"\(text)\"; known: current(COLUMN), mean")
            }
        }
        return baselines
    }

    private static func checkSlices(_ section: Section, _ columns: Columns, _ reader: inout ProjectReader) {
        guard let gate = section["gate"], case .map(let entries) = gate.node.content,
            let entry = entries.first(where: { $0.key == "slices" })
        else { return }
        let item = Item(path: gate.path + ".slices", node: entry.value, anchor: entry.keyPosition)
        // A list of something else than texts has been refused where the gate was read.
        var probe = reader
        guard let names = probe.texts(item) else { return }
        for (name, item) in names { _ = columns.type(of: name, item, &reader) }
    }
}
