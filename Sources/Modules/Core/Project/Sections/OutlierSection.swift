import Features

/// `outliers:` of a view.
enum OutlierSection {
    private enum Rule: String, CaseIterable { case mad, zscore, range }

    private static let periods = 10...10_000

    /// - Returns: `nil` when anything about the rule is wrong.
    static func read(_ item: Item, _ reader: inout ProjectReader) -> ViewDefinition.Outliers? {
        let before = reader.errors.count
        guard let section = reader.section(item, keys: ["column", "rule", "threshold", "period", "min", "max", "action"]) else {
            return nil
        }
        let column = reader.required(section, "column").flatMap { reader.text($0, "the name of a column") }
        let kind = reader.required(section, "rule").flatMap { reader.choice($0, "outlier rule", as: Rule.self) }
        let action = reader.required(section, "action").flatMap {
            reader.choice($0, "outlier action", as: ViewDefinition.Outliers.Action.self)
        }
        let rule = kind.flatMap { $0 == .range ? range(section, &reader) : deviations($0, section, &reader) }
        guard reader.errors.count == before, let column, let rule, let action else { return nil }
        return ViewDefinition.Outliers(column: column, rule: rule, action: action)
    }

    private static func range(_ section: Section, _ reader: inout ProjectReader) -> ViewDefinition.Outliers.Rule? {
        refuse(["threshold", "period"], in: section, "a range is told by min and max", &reader)
        let min = section["min"].flatMap { reader.number($0, "a number") { _ in true } }
        let max = section["max"].flatMap { reader.number($0, "a number") { _ in true } }
        if section["min"] == nil, section["max"] == nil { reader.refuseKey(section.item, "a range needs min, max, or both") }
        if let min, let max, min > max, let item = section["min"] { reader.refuse(item, "min \(min) is above max \(max)") }
        return .range(min: min, max: max)
    }

    private static func deviations(_ kind: Rule, _ section: Section, _ reader: inout ProjectReader) -> ViewDefinition.Outliers.Rule? {
        refuse(["min", "max"], in: section, "\(kind.rawValue) is told by threshold and period; min and max belong to range", &reader)
        let threshold = reader.required(section, "threshold").flatMap { reader.number($0, "a number of deviations above 0") { $0 > 0 } }
        let period = section["period"].map { reader.integer($0, periods) } ?? 100
        guard let threshold, let period else { return nil }
        return kind == .mad ? .mad(threshold: threshold, period: period) : .zscore(threshold: threshold, period: period)
    }

    private static func refuse(_ keys: [String], in section: Section, _ reason: String, _ reader: inout ProjectReader) {
        for key in keys {
            if let item = section[key] { reader.refuseKey(item, reason) }
        }
    }
}
