import Features
import Metrics

/// What a worker counts.
struct FeatureCounters: Sendable {
    let accepted: Counter
    let dead: Counter
    let late: Counter
    let duplicates: Counter
    let overflows: Counter
    let canonicalValues: Counter
    let canonicalUnknown: Counter
    let held: Counter
    let rows: [Counter]
    /// Per view, the column of availability and what shows the newest of it, in seconds since the epoch: how fresh the view is.
    let newest: [(column: String, gauge: Gauge)]

    init(stream: String, views: [CompiledView], partition: Int) {
        func counter(_ name: String) -> Counter { Counter(label: "mlops_features_\(name)_total", dimensions: [("stream", stream)]) }
        accepted = counter("events_accepted")
        dead = counter("events_dead")
        late = counter("events_late")
        duplicates = counter("events_duplicate")
        overflows = counter("integer_overflows")
        canonicalValues = counter("canonical_values")
        canonicalUnknown = counter("canonical_unknown")
        held = counter("rows_quarantined")
        rows = views.map { Counter(label: "mlops_features_rows_total", dimensions: [("view", $0.definition.name)]) }
        newest = views.map { view in
            let dimensions = [("view", view.definition.name), ("partition", String(partition))]
            return (view.schema.metadata.availabilityColumn, Gauge(label: "mlops_features_newest_row_seconds", dimensions: dimensions))
        }
    }

    func note(_ output: EngineOutput) {
        accepted.increment(by: output.accepted)
        dead.increment(by: output.dead.count)
        late.increment(by: output.late.count)
        duplicates.increment(by: output.duplicates)
        overflows.increment(by: output.overflows)
        canonicalValues.increment(by: output.canonicalValues)
        canonicalUnknown.increment(by: output.canonicalUnknown)
        held.increment(by: output.held.reduce(0) { $0 + $1.rows.reasons.count })
        for (counter, rows) in zip(rows, output.rows) { counter.increment(by: rows.count) }
        for ((column, gauge), rows) in zip(newest, output.rows) {
            if let time = rows.times(column).max() { gauge.record(Double(time) / 1_000) }
        }
    }
}
