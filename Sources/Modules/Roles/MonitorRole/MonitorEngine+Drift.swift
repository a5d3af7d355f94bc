import Domain
import Project

/// What drift is judged on.
extension MonitorEngine {
    /// Rows of one version, and those of the view that belong to them.
    struct DriftRows {
        var own: [RecentRows.Row]
        var view: [RecentRows.Row]
    }

    /// Drift of the latest rows of a version.
    package func drift(of version: String) -> DriftVerdict? { drift(of: version, in: latestRows(of: version)) }

    /// - Returns: `nil` without a reference and with too few rows.
    func drift(of version: String, in rows: DriftRows) -> DriftVerdict? {
        guard let reference = references[version], rows.own.count >= settings.windows.minRows else { return nil }
        return DriftVerdict(
            driftColumns(of: version), reference: reference, current: { sample($0, of: version, in: rows) ?? .init([]) },
            rows: rows.own.count, minRows: settings.windows.minRows, rule: settings.drift)
    }

    /// The column of the reference that holds the model's own outputs.
    package static var outputColumn: String { "prediction" }

    /// What drift is judged on: the version's inputs, the other columns of the view that its training sample has, its outputs.
    package func driftColumns(of version: String) -> [String] {
        guard let reference = references[version], let recent = recent[version] else { return [] }
        let others = viewRows.names.filter { reference[$0] != nil && !recent.names.contains($0) }
        return recent.names + others + (reference[Self.outputColumn] == nil ? [] : [Self.outputColumn])
    }

    /// The latest values of columns of a version.
    package func samples(_ columns: [String], of version: String) -> [String: DriftReference.Sample] {
        let rows = latestRows(of: version)
        return columns.reduce(into: [:]) { $0[$1] = sample($1, of: version, in: rows) }
    }

    func latestRows(of version: String) -> DriftRows {
        let first = since[version] ?? .max
        return DriftRows(
            own: recent[version]?.latest(settings.recentRows) ?? [],
            view: viewRows.latest(settings.recentRows).filter { $0.featureTime >= first })
    }

    /// Of all rows that are kept, those of a time that is wanted.
    func keptRows(of version: String, at isWanted: (EventTime.Milliseconds) -> Bool) -> DriftRows {
        let first = since[version] ?? .max
        return DriftRows(
            own: recent[version]?.rows.filter { isWanted($0.featureTime) } ?? [],
            view: viewRows.rows.filter { $0.featureTime >= first && isWanted($0.featureTime) })
    }

    private func sample(_ column: String, of version: String, in rows: DriftRows) -> DriftReference.Sample? {
        guard let recent = recent[version] else { return nil }
        let areCategories: Bool? = if case .categories? = references[version]?[column]?.values { true } else { nil }
        if let place = recent.names.firstIndex(of: column) {
            return .init(rows.own.map { $0.values[place] }, areCategories: areCategories)
        }
        if column == Self.outputColumn { return .init(rows.own.map { $0.output.map { .finite($0) } ?? .null }) }
        guard let place = viewRows.names.firstIndex(of: column), since[version] != nil else { return nil }
        return .init(rows.view.map { $0.values[place] }, areCategories: areCategories)
    }
}
