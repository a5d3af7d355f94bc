import Domain
import Learning

/// `training.candidates`.
enum CandidateSection {
    /// What may be searched, with the values that make sense and what is searched when nothing is said.
    private struct Parameter {
        let name: String
        let isWhole: Bool
        let range: ClosedRange<Double>
        let standard: TrainingDefinition.ParameterRange?

        init(
            _ name: String, whole: Bool = false, _ range: ClosedRange<Double>, _ scale: TrainingDefinition.ParameterRange.Scale? = nil,
            _ standard: ClosedRange<Double>? = nil
        ) {
            self.name = name
            isWhole = whole
            self.range = range
            self.standard = scale.flatMap { scale in
                standard.map { .init(name: name, scale: scale, lower: $0.lowerBound, upper: $0.upperBound) }
            }
        }
    }

    private static func parameters(_ kind: TrainingDefinition.Candidate.Kind, isRelative: Bool) -> [Parameter] {
        switch kind {
        case .ridge: [Parameter("alpha", 0...1e12, .log, isRelative ? 1e-6...1 : 1e-4...100)]
        case .xgboost:
            [
                Parameter("max_depth", whole: true, 1...64, .int, 2...10), Parameter("eta", 0...1, .log, 0.01...0.5),
                Parameter("rounds", whole: true, 1...100_000, .int, 50...500), Parameter("min_child_weight", 0...1e9),
                Parameter("subsample", 0.01...1), Parameter("colsample_bytree", 0.01...1), Parameter("colsample_bylevel", 0.01...1),
                Parameter("colsample_bynode", 0.01...1), Parameter("lambda", 0...1e9), Parameter("alpha", 0...1e9),
                Parameter("gamma", 0...1e9), Parameter("max_bin", whole: true, 2...65_536),
                Parameter("max_leaves", whole: true, 0...1_000_000), Parameter("max_delta_step", 0...1e9),
            ]
        }
    }

    /// - Parameter columns: Of the view that is learnt from; `nil` when it is wrong itself.
    static func read(
        _ section: Section, _ columns: TrainingSection.Columns?, _ reader: inout ProjectReader
    ) -> [TrainingDefinition.Candidate]? {
        guard let item = reader.required(section, "candidates"), let items = reader.list(item) else { return nil }
        if items.isEmpty { reader.refuse(item, "expected at least one candidate, found an empty list") }
        var candidates: [TrainingDefinition.Candidate] = [], isComplete = !items.isEmpty
        for item in items {
            if let candidate = candidate(item, columns, &reader) { candidates.append(candidate) } else { isComplete = false }
        }
        return isComplete ? candidates : nil
    }

    private static func candidate(
        _ item: Item, _ columns: TrainingSection.Columns?, _ reader: inout ProjectReader
    ) -> TrainingDefinition.Candidate? {
        guard let section = reader.section(item, keys: ["kind", "relative_to", "search"]), let kindItem = reader.required(section, "kind"),
            let kind = reader.choice(kindItem, "kind of model", as: TrainingDefinition.Candidate.Kind.self)
        else { return nil }
        var relativeTo: String?
        if let unitItem = section["relative_to"] {
            guard let unit = unit(unitItem, kind, columns, &reader) else { return nil }
            relativeTo = unit
        }
        let parameters = parameters(kind, isRelative: relativeTo != nil)
        guard let searchItem = section["search"] else {
            return TrainingDefinition.Candidate(kind: kind, search: parameters.compactMap(\.standard), relativeTo: relativeTo)
        }
        guard let entries = reader.entries(searchItem) else { return nil }
        var ranges: [TrainingDefinition.ParameterRange] = [], isComplete = true
        for (name, item) in entries {
            guard let parameter = parameters.first(where: { $0.name == name }) else {
                let hint = SpellingSuggestion.hint(for: name, among: parameters.map(\.name))
                reader.refuse(item.anchor, "\(searchItem.path): \(kind.rawValue) has no parameter \"\(name)\"" + hint)
                isComplete = false
                continue
            }
            if let range = range(item, parameter, &reader) { ranges.append(range) } else { isComplete = false }
        }
        return isComplete ? TrainingDefinition.Candidate(kind: kind, search: ranges, relativeTo: relativeTo) : nil
    }

    /// `relative_to`: a number of the row, in which a ridge counts its errors.
    private static func unit(
        _ item: Item, _ kind: TrainingDefinition.Candidate.Kind, _ columns: TrainingSection.Columns?, _ reader: inout ProjectReader
    ) -> String? {
        guard let name = reader.text(item, "the name of a column") else { return nil }
        if kind != .ridge {
            reader.refuse(item, "only ridge counts its errors relative to a column, not \(kind.rawValue)")
            return nil
        }
        guard let columns else { return name }
        guard let type = columns.type(of: name, item, &reader) else { return nil }
        if type.isNumeric { return name }
        reader.refuse(item, "\"\(name)\" is \(type.rawValue), not a number")
        return nil
    }

    private static func range(
        _ item: Item, _ parameter: Parameter, _ reader: inout ProjectReader
    ) -> TrainingDefinition.ParameterRange? {
        let before = reader.errors.count
        guard let range = reader.form(item, "int(a, b), linear(a, b), log(a, b) or a number", ValueForms.range) else { return nil }
        let bounds = [range.lower, range.upper]
        if range.lower > range.upper {
            reader.refuse(item, "the range ends before it begins; write the smaller number first")
        } else if range.scale == .log, range.lower <= 0 {
            reader.refuse(item, "a log range begins above 0")
        } else if parameter.isWhole || range.scale == .int, bounds.contains(where: { $0 != $0.rounded() }) {
            reader.refuse(item, "\(parameter.isWhole ? parameter.name : "int(…)") takes whole numbers only")
        } else if parameter.isWhole, range.scale == .linear || range.scale == .log {
            reader.refuse(item, "\(parameter.name) takes whole numbers only; write int(\(short(range.lower)), \(short(range.upper)))")
        } else if !bounds.allSatisfy(parameter.range.contains) {
            reader.refuse(
                item, "\(parameter.name) lies from \(short(parameter.range.lowerBound)) to \(short(parameter.range.upperBound))")
        }
        guard reader.errors.count == before else { return nil }
        return TrainingDefinition.ParameterRange(
            name: parameter.name, scale: range.scale ?? (parameter.isWhole ? .int : .linear), lower: range.lower, upper: range.upper)
    }

    private static func short(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : String(number)
    }
}
