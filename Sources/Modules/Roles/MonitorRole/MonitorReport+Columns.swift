import Domain
import Statistics
import Web

/// Column by column: training and now.
extension MonitorReport {
    /// Columns that get a chart.
    private static let maxCharts = 40
    /// Categories of a chart that stand for themselves.
    private static let maxCategories = 11

    var distributions: Report.Section {
        guard let drift, let version else { return Report.Section("Distributions", [.paragraph("No verdict: \(reasonWithoutVerdict).")]) }
        let rows = drift.columns.map { column -> [HTML] in
            let name: HTML = "\(column.name)",
                missing: HTML = "\(Self.share(column.referenceMissing)) → \(Self.share(column.currentMissing))"
            switch column.verdict {
            case .failed(let reason): return [name, "<span class=\"warn\">not judged: \(reason)</span>", "", "", "", missing]
            case .score(let score, let method, let isDrifted):
                let verdict: HTML = isDrifted ? "<span class=\"bad\">drifted</span>" : "<span class=\"good\">same</span>"
                return [name, verdict, "\(method.rawValue)", "\(Self.number(score))", "\(Self.number(method.threshold))", missing]
            }
        }
        let columns: [TableMarkup.Column] = [
            .text("Column"), .text("Verdict"), .text("Method"), .number("Score"), .number("Threshold"), .number("Missing, then → now"),
        ]
        let charts = drift.columns.prefix(Self.maxCharts).compactMap { chart($0.name, version) }
        var table = TableMarkup(columns, rows: rows)
        // Names of columns are not broken; a narrow window scrolls.
        table.isCompact = true
        var blocks: [Report.Block] = [.table(table), .charts(charts)]
        if drift.columns.contains(where: { if case .score(_, .wassersteinByDeviation, _) = $0.verdict { true } else { false } }) {
            blocks.insert(
                .paragraph(
                    "wasserstein_by_deviation: the deviation in training is below 0.001, where the normed distance would not see the column."
                ),
                at: 1)
        }
        if drift.columns.count > Self.maxCharts { blocks.append(.paragraph("Charts of the first \(Self.maxCharts) columns.")) }
        return Report.Section("Distributions of version \(version): training and now", blocks)
    }

    private func chart(_ column: String, _ version: String) -> Chart? {
        guard let reference = engine.references[version]?[column], let current = samples[column] else { return nil }
        switch (reference.values, current.values) {
        case (.numbers(let before), .numbers(let now)):
            let edges = Self.edges(before + now)
            guard edges.count > 1 else { return nil }
            return Chart(
                title: column, xLabel: column, yLabel: "share",
                .histogram(edges: edges, [("training", Self.shares(before, edges)), ("now", Self.shares(now, edges))]))
        case (.categories(let before), .categories(let now)):
            let counts = [before, now].map { sample in sample.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 } }
            func share(_ name: String, _ sample: Int, of total: Int) -> Double {
                total > 0 ? Double(counts[sample][name] ?? 0) / Double(total) : 0
            }
            func weight(_ name: String) -> Double { share(name, 0, of: before.count) + share(name, 1, of: now.count) }
            let all = Set(before).union(now).sorted { (weight($1), $0) < (weight($0), $1) }
            let names = all.count > Self.maxCategories + 1 ? Array(all.prefix(Self.maxCategories)) : all
            func shares(_ sample: Int, of total: Int) -> [Double] {
                let own = names.map { share($0, sample, of: total) }
                guard names.count < all.count else { return own }
                return own + [all.dropFirst(names.count).reduce(0) { $0 + share($1, sample, of: total) }]
            }
            let others = all.count - names.count
            return Chart(
                title: column, yLabel: "share",
                .groups(
                    labels: names + (others > 0 ? ["\(others) others"] : []),
                    [("training", shares(0, of: before.count)), ("now", shares(1, of: now.count))]))
        default: return nil
        }
    }

    /// Equal bins; those of whole numbers hold equally many of them, or the bins would look like a comb.
    static func edges(_ values: [Double]) -> [Double] {
        guard let low = values.min(), let high = values.max(), high - low < 0x1p40, low.magnitude < 0x1p50,
            values.allSatisfy({ $0 == $0.rounded() })
        else { return Histogram.sturgesEdges(values) }
        let bins = max(1, Histogram.sturgesEdges(values).count - 1), width = ((high - low + 1) / Double(bins)).rounded(.up)
        let count = Int(((high - low + 1) / width).rounded(.up))
        return (0...count).map { low - 0.5 + Double($0) * width }
    }

    private static func shares(_ values: [Double], _ edges: [Double]) -> [Double] {
        let counts = Histogram(values, edges: edges).counts
        return counts.map { values.isEmpty ? 0 : Double($0) / Double(values.count) }
    }

    var quality: Report.Section {
        guard let version, let reference = engine.references[version] else {
            return Report.Section("Data quality", [.paragraph("Nothing to compare yet.")])
        }
        let rows = engine.driftColumns(of: version).compactMap { name -> [HTML]? in
            guard let now = samples[name] else { return nil }
            let before = reference[name]
            let rose = before.map { now.missing > $0.missing + ColumnDrift.missingRise } ?? false
            let missing: HTML = rose ? "<span class=\"bad\">\(Self.share(now.missing))</span>" : "\(Self.share(now.missing))"
            let ranges = zip(Self.range(before), Self.range(now)).flatMap { before, now -> [HTML] in [before, now] }
            return ["\(name)", "\(Self.share(before?.missing))", missing] + ranges
        }
        let measures = ["Missing", "Least", "Mean", "Greatest"].flatMap { name -> [TableMarkup.Column] in
            [.number("\(name), training"), .number("\(name), now")]
        }
        let columns = [TableMarkup.Column.text("Column")] + measures
        var table = TableMarkup(columns, rows: rows)
        table.isCompact = true
        return Report.Section("Data quality", [.table(table)])
    }

    /// Least, mean and greatest value; for categories only how many there are.
    private static func range(_ sample: DriftReference.Sample?) -> [HTML] {
        switch sample?.values {
        case .numbers(let numbers) where !numbers.isEmpty:
            [numbers.min(), Moments(numbers).mean, numbers.max()].map { value -> HTML in "\(number(value))" }
        case .categories(let categories): ["", "\(Set(categories).count) categories", ""]
        default: ["", "", ""]
        }
    }
}
