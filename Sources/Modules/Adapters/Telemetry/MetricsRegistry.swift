package import CoreMetrics
import Synchronization

/// Keeps every metric of the process and writes them in the Prometheus text format.
///
/// A metric holds at most ``maxSeriesPerMetric`` label sets; what comes after them is counted together under label
/// values `_other`, so that a label with a stranger's text in it cannot eat the memory and sums stay right.
package final class MetricsRegistry: MetricsFactory {
    enum Series: Sendable {
        case counter(CounterSeries)
        case gauge(GaugeSeries)
        case histogram(HistogramSeries)
    }

    enum Kind: String { case counter, gauge, histogram }

    struct Family {
        let kind: Kind
        /// Rendered label sets (`{a="b"}` or nothing) in order of arrival.
        var series: [String: Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var help: [String: String] = [:]
        var bounds: [String: [Double]] = [:]
        var conflicts: Int64 = 0
    }

    package let maxSeriesPerMetric: Int
    private let state = Mutex(State())
    private let process: ProcessMetrics

    package init(maxSeriesPerMetric: Int = 1_000) {
        self.maxSeriesPerMetric = maxSeriesPerMetric
        process = ProcessMetrics()
    }

    /// Sets the HELP text of a metric; without one that of ``MetricHelp`` stands there, or the name with blanks.
    /// - Parameter buckets: Ascending upper bounds of a histogram; `nil` keeps the default for its unit.
    package func describe(_ name: String, _ help: String, buckets: [Double]? = nil) {
        state.withLock {
            $0.help[MetricNames.metric(name)] = help
            if let buckets { $0.bounds[MetricNames.metric(name)] = buckets }
        }
    }

    /// Every metric in text format 0.0.4, sorted by name, then by labels.
    package func render() -> String {
        let (families, help, conflicts) = state.withLock { ($0.families, $0.help, $0.conflicts) }
        var text = process.render()
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += PrometheusText.render(name: name, help: help[name], family: family)
        }
        text += "# HELP mlops_metric_conflicts_total Metrics asked for under a name that is in use for another kind.\n"
        text += "# TYPE mlops_metric_conflicts_total counter\nmlops_metric_conflicts_total \(conflicts)\n"
        return text
    }

    private func series(_ label: String, _ dimensions: [(String, String)], _ kind: Kind, isTimer: Bool = false) -> Series? {
        let name = MetricNames.metric(label)
        let labels = PrometheusText.labels(dimensions)
        return state.withLock { state in
            guard state.families[name, default: Family(kind: kind)].kind == kind else {
                state.conflicts += 1
                return nil
            }
            if let known = state.families[name]?.series[labels] { return known }
            var key = labels
            if state.families[name]?.series.count ?? 0 >= maxSeriesPerMetric {
                key = PrometheusText.labels(dimensions.map { ($0.0, "_other") })
                if let overflow = state.families[name]?.series[key] { return overflow }
            }
            let new: Series =
                switch kind {
                case .counter: .counter(CounterSeries())
                case .gauge: .gauge(GaugeSeries())
                case .histogram:
                    .histogram(HistogramSeries(bounds: state.bounds[name] ?? Self.defaultBounds(of: name, isTimer: isTimer)))
                }
            state.families[name, default: Family(kind: kind)].series[key] = new
            return new
        }
    }

    /// Time: half a millisecond to ten seconds. Bytes: 1 KiB to 1 GiB. Anything else: 1-2-5 steps from 0.001 to 100,000.
    private static func defaultBounds(of name: String, isTimer: Bool) -> [Double] {
        if isTimer || name.hasSuffix("_seconds") {
            return [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
        }
        if name.hasSuffix("_bytes") { return (0...10).map { 1024 * Double(1 << (2 * $0)) } }
        return [
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000,
            50_000, 100_000,
        ]
    }

    private func remove(_ handler: AnyObject) {
        state.withLock { state in
            for (name, family) in state.families {
                guard let key = family.series.first(where: { $0.value.handler === handler })?.key else { continue }
                state.families[name]?.series[key] = nil
                if state.families[name]?.series.isEmpty == true { state.families[name] = nil }
                return
            }
        }
    }
}

extension MetricsRegistry {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        if case .counter(let series)? = series(label, dimensions, .counter) { series } else { DiscardedSeries() }
    }

    package func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        if case .counter(let series)? = series(label, dimensions, .counter) { series } else { DiscardedSeries() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        if case .gauge(let series)? = series(label, dimensions, .gauge) { series } else { DiscardedSeries() }
    }

    /// A `Gauge` of the metrics API is a recorder that does not aggregate.
    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            if case .histogram(let series)? = series(label, dimensions, .histogram) { return series }
        } else if case .gauge(let series)? = series(label, dimensions, .gauge) {
            return series
        }
        return DiscardedSeries()
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        if case .histogram(let series)? = series(label, dimensions, .histogram, isTimer: true) { series } else { DiscardedSeries() }
    }

    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}

extension MetricsRegistry.Series {
    var handler: AnyObject {
        switch self {
        case .counter(let series): series
        case .gauge(let series): series
        case .histogram(let series): series
        }
    }
}
