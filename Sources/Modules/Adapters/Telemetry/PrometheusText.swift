/// The Prometheus text exposition format, version 0.0.4.
package enum PrometheusText {
    /// The `Content-Type` of a response that carries it.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// `{name="value",…}` in the order given, or nothing; of a name given twice the first value stays.
    static func labels(_ dimensions: [(String, String)]) -> String {
        guard !dimensions.isEmpty else { return "" }
        var seen: Set<String> = []
        let pairs = dimensions.compactMap { name, value -> String? in
            let name = MetricNames.label(name)
            guard seen.insert(name).inserted else { return nil }
            return "\(name)=\"\(MetricNames.escapedValue(value))\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    static func render(name: String, help: String?, family: MetricsRegistry.Family) -> String {
        let help = help ?? MetricHelp.texts[name] ?? name.replacing("_", with: " ") + "."
        var text = "# HELP \(name) \(MetricNames.escapedHelp(help))\n"
        text += "# TYPE \(name) \(family.kind.rawValue)\n"
        for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
            switch series {
            case .counter(let counter): text += "\(name)\(labels) \(MetricNames.number(counter.value))\n"
            case .gauge(let gauge): text += "\(name)\(labels) \(MetricNames.number(gauge.value))\n"
            case .histogram(let histogram): text += render(name, labels, histogram)
            }
        }
        return text
    }

    private static func render(_ name: String, _ labels: String, _ histogram: HistogramSeries) -> String {
        let reading = histogram.reading
        let opening = labels.isEmpty ? "{" : labels.dropLast() + ","
        var text = ""
        var cumulated: UInt64 = 0
        for (index, count) in reading.counts.enumerated() {
            cumulated += count
            let bound = index < histogram.bounds.count ? MetricNames.number(histogram.bounds[index]) : "+Inf"
            text += "\(name)_bucket\(opening)le=\"\(bound)\"} \(cumulated)\n"
        }
        return text + "\(name)_sum\(labels) \(MetricNames.number(reading.sum))\n\(name)_count\(labels) \(cumulated)\n"
    }
}
