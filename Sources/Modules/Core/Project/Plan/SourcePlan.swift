import Expressions

/// A source in words.
package enum SourcePlan {
    package static func text(_ kind: SourceDefinition.Kind) -> String {
        switch kind {
        case .synthetic(let synthetic): text(synthetic)
        case .file(let path, let isOptional): "file \(path)" + (isOptional ? ", left out while it is not there" : "")
        case .market(let market):
            "trades of \(market.pairs.joined(separator: ", ")) from \(market.exchange.rawValue)" + (market.url.map { " at \($0)" } ?? "")
        case .topic(let name, let log): "topic \(name)" + (log.map { " of \($0)" } ?? "")
        }
    }

    private static func text(_ synthetic: SyntheticDefinition) -> String {
        var facts = ["\(PlanPage.number(synthetic.rate))/s", "seed \(synthetic.seed)"]
        let planting = synthetic.planting
        if let drift = planting.drift {
            facts.append(
                "drift after \(DurationText.format(drift.after)): price × \(PlanPage.number(drift.price)), "
                    + "quantity × \(PlanPage.number(drift.quantity))")
        }
        if let gaps = planting.gaps {
            facts.append("a gap of \(DurationText.format(gaps.length)) every \(DurationText.format(gaps.every))")
        }
        if planting.duplicates > 0 { facts.append("\(PlanPage.number(planting.duplicates)) duplicates") }
        if let late = planting.late { facts.append("\(PlanPage.number(late.share)) late by \(DurationText.format(late.by))") }
        if let outliers = planting.outliers {
            facts.append("\(PlanPage.number(outliers.share)) outliers × \(PlanPage.number(outliers.factor))")
        }
        facts += planting.categories.map { "\($0.field) one of \($0.values.joined(separator: ", "))" }
        if planting.dirt > 0 { facts.append("\(PlanPage.number(planting.dirt)) of the categories misspelled") }
        return "synthetic trades of \(synthetic.pairs.joined(separator: ", ")); " + facts.joined(separator: ", ")
    }
}
