import CoreMetrics
import Testing

@testable import Telemetry

@Suite struct MetricsRegistryTests {
    private func lines(_ registry: MetricsRegistry, of name: String) -> [Substring] {
        registry.render().split(separator: "\n").filter { $0.contains(name) }
    }

    @Test func `a counter keeps its name and counts per label set`() {
        let registry = MetricsRegistry()
        registry.describe("mlops_records_in_total", "Records read.")
        for stream in ["trades", "quotes", "trades"] {
            Counter(label: "mlops_records_in_total", dimensions: [("stream", stream)], factory: registry).increment(by: 2)
        }
        #expect(
            lines(registry, of: "mlops_records_in_total") == [
                "# HELP mlops_records_in_total Records read.", "# TYPE mlops_records_in_total counter",
                "mlops_records_in_total{stream=\"quotes\"} 2", "mlops_records_in_total{stream=\"trades\"} 4",
            ])
    }

    @Test func `a counter never goes down`() {
        let registry = MetricsRegistry()
        let counter = Counter(label: "c_total", factory: registry)
        counter.increment(by: 5)
        counter.increment(by: -3)
        #expect(lines(registry, of: "c_total").last == "c_total 5")
    }

    @Test func `gauges and meters hold the latest value`() {
        let registry = MetricsRegistry()
        Gauge(label: "age_seconds", factory: registry).record(1.5)
        let meter = Meter(label: "open", factory: registry)
        meter.set(3)
        meter.decrement(by: 1)
        #expect(lines(registry, of: "age_seconds").last == "age_seconds 1.5")
        #expect(lines(registry, of: "open").last == "open 2")
    }

    @Test func `a timer is a histogram in seconds whose buckets add up`() {
        let registry = MetricsRegistry()
        registry.describe("wait_seconds", "Wait.", buckets: [0.1, 1])
        let timer = Timer(label: "wait_seconds", dimensions: [("role", "serve")], factory: registry)
        for milliseconds in [50, 100, 200, 5_000] { timer.recordMilliseconds(milliseconds) }
        #expect(
            lines(registry, of: "wait_seconds").dropFirst(2) == [
                "wait_seconds_bucket{role=\"serve\",le=\"0.1\"} 2", "wait_seconds_bucket{role=\"serve\",le=\"1\"} 3",
                "wait_seconds_bucket{role=\"serve\",le=\"+Inf\"} 4", "wait_seconds_sum{role=\"serve\"} 5.35",
                "wait_seconds_count{role=\"serve\"} 4",
            ])
    }

    @Test func `label values are escaped and label names are made legal`() {
        let registry = MetricsRegistry()
        Counter(label: "1 odd-name", dimensions: [("the key", "a\"b\\c\nd"), ("le", "x"), ("__name__", "y")], factory: registry).increment()
        #expect(
            lines(registry, of: "_1_odd_name").last
                == #"_1_odd_name{the_key="a\"b\\c\nd",exported_le="x",exported___name__="y"} 1"#)
    }

    @Test func `beyond the limit label sets share one series, so nothing is lost and nothing grows`() {
        let registry = MetricsRegistry(maxSeriesPerMetric: 3)
        for index in 0..<10 { Counter(label: "c_total", dimensions: [("id", "\(index)")], factory: registry).increment() }
        let samples = lines(registry, of: "c_total{")
        #expect(samples.count == 4)
        #expect(samples.contains("c_total{id=\"_other\"} 7"))
    }

    @Test func `a name in use for another kind takes nothing, and that is counted`() {
        let registry = MetricsRegistry()
        Counter(label: "n", factory: registry).increment()
        Gauge(label: "n", factory: registry).record(7)
        #expect(lines(registry, of: "n 1") == ["n 1"])
        #expect(lines(registry, of: "mlops_metric_conflicts_total").last == "mlops_metric_conflicts_total 1")
    }

    @Test func `a destroyed metric is no longer written`() {
        let registry = MetricsRegistry()
        let counter = Counter(label: "gone_total", factory: registry)
        counter.increment()
        counter.destroy()
        #expect(lines(registry, of: "gone_total").isEmpty)
    }

    @Test func `values beyond numbers are written as the format says`() {
        #expect(
            [Double.nan, .infinity, -.infinity, 3, 0.1, -2.5e-9].map(MetricNames.number) == ["NaN", "+Inf", "-Inf", "3", "0.1", "-2.5e-09"])
    }

    #if os(Linux)
    @Test func `the process tells its memory and start`() throws {
        let text = MetricsRegistry().render()
        let memory = try #require(text.split(separator: "\n").first { $0.hasPrefix("process_resident_memory_bytes ") })
        #expect(Double(memory.split(separator: " ")[1]) ?? 0 > 1_000_000)
        let start = try #require(text.split(separator: "\n").first { $0.hasPrefix("process_start_time_seconds ") })
        #expect(Double(start.split(separator: " ")[1]) ?? 0 > 1_600_000_000)
    }
    #endif
}
