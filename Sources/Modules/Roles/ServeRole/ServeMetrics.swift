import Domain
import Metrics
import Synchronization

/// What the role counts and measures, for one model.
final class ServeMetrics: Sendable {
    private struct Series {
        var requests: [String: Counter] = [:]
        var durations: [String: Metrics.Timer] = [:]
        var predictions: [String: Counter] = [:]
    }

    private let model: String
    private let age: Gauge
    private let lag: Gauge
    private let series = Mutex(Series())

    init(model: String) {
        self.model = model
        age = Gauge(label: "mlops_serve_feature_age_seconds", dimensions: [("model", model)])
        lag = Gauge(label: "mlops_serve_stream_lag_records", dimensions: [("model", model)])
    }

    func loaded(succeeded: Bool) {
        Counter(
            label: "mlops_serve_model_loads_total", dimensions: [("model", model), ("result", succeeded ? "loaded" : "failed")]
        ).increment()
    }

    /// The info gauge is 1 for what is served and 0 for what was.
    func serving(_ new: ServedModel, instead old: ServedModel?) {
        if let old { info(old).record(0) }
        info(new).record(1)
    }

    private func info(_ served: ServedModel) -> Gauge {
        Gauge(label: "mlops_serve_model_info", dimensions: [("model", model), ("version", served.number), ("alias", served.alias)])
    }

    /// - Parameter path: `http` or `stream`.
    func predicted(version: String, count: Int, path: String) {
        let counter = series.withLock { series in
            if let known = series.predictions[path + version] { return known }
            let new = Counter(
                label: "mlops_serve_predictions_total", dimensions: [("model", model), ("version", version), ("path", path)])
            series.predictions[path + version] = new
            return new
        }
        counter.increment(by: count)
    }

    /// Rows of the stream that gave no number.
    func skipped(_ count: Int) {
        Counter(label: "mlops_serve_stream_skipped_total", dimensions: [("model", model)]).increment(by: count)
    }

    func featureAge(_ milliseconds: EventTime.Milliseconds) { age.record(Double(milliseconds) / 1_000) }
    func streamLag(_ records: Int64) { lag.record(records) }

    func answered(verb: String, status: Int, duration: Duration) {
        let (counter, timer) = series.withLock { series in
            let key = "\(verb) \(status)"
            if let counter = series.requests[key], let timer = series.durations[verb] { return (counter, timer) }
            let dimensions = [("model", model), ("verb", verb)]
            let counter = Counter(label: "mlops_serve_requests_total", dimensions: dimensions + [("status", String(status))])
            let timer = series.durations[verb] ?? Metrics.Timer(label: "mlops_serve_request_duration_seconds", dimensions: dimensions)
            series.requests[key] = counter
            series.durations[verb] = timer
            return (counter, timer)
        }
        counter.increment()
        let (seconds, attoseconds) = duration.components
        timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
