import Domain
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
    private let partition: String
    /// How fresh each view is.
    private var newest: [Newest]

    /// The latest that a row of a view was available. No series tells it before it is known: 0 would be the year 1970.
    private struct Newest {
        let view: String
        /// The column of availability.
        let column: String
        var time: EventTime.Milliseconds?
        var gauge: Gauge?
    }

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
        self.partition = String(partition)
        newest = views.map { Newest(view: $0.definition.name, column: $0.schema.metadata.availabilityColumn) }
    }

    /// When the newest row of a view was available; `nil` while no row is known.
    func newest(of view: Int) -> EventTime.Milliseconds? { newest[view].time }

    /// - Parameter time: When a row of the view was available; an earlier one than the newest changes nothing.
    mutating func note(newest time: EventTime.Milliseconds, of view: Int) {
        if let known = newest[view].time, known >= time { return }
        newest[view].time = time
        let dimensions = [("view", newest[view].view), ("partition", partition)]
        let gauge = newest[view].gauge ?? Gauge(label: "mlops_features_newest_row_seconds", dimensions: dimensions)
        newest[view].gauge = gauge
        gauge.record(Double(time) / 1_000)
    }

    mutating func note(_ output: EngineOutput) {
        accepted.increment(by: output.accepted)
        dead.increment(by: output.dead.count)
        late.increment(by: output.late.count)
        duplicates.increment(by: output.duplicates)
        overflows.increment(by: output.overflows)
        canonicalValues.increment(by: output.canonicalValues)
        canonicalUnknown.increment(by: output.canonicalUnknown)
        held.increment(by: output.held.reduce(0) { $0 + $1.rows.reasons.count })
        for (counter, rows) in zip(rows, output.rows) { counter.increment(by: rows.count) }
        for (view, rows) in output.rows.enumerated() {
            if let time = rows.times(newest[view].column).max() { note(newest: time, of: view) }
        }
    }
}
