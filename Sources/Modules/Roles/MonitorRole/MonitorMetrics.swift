import Domain
import Metrics
import Project

/// What the monitor tells Prometheus: the state of the engine as gauges, records as counters.
struct MonitorMetrics: Sendable {
    private let model: String
    private let lag: Gauge
    private let windowEnd: Gauge
    private let waiting: Gauge
    private var told = MonitorEngine.Counts()
    private var toldMissing = (late: 0, evicted: 0)
    /// Feature labels a version gets at most.
    private static let maxFeatures = 50

    init(model: String) {
        self.model = model
        lag = Gauge(label: "mlops_monitor_consumer_lag_records", dimensions: [("model", model)])
        windowEnd = Gauge(label: "mlops_monitor_window_end_timestamp_seconds", dimensions: [("model", model)])
        waiting = Gauge(label: "mlops_monitor_waiting_predictions", dimensions: [("model", model)])
    }

    func tell(lag records: Int64) { lag.record(records) }

    func took(output: Double?) {
        guard let output else { return }
        Recorder(label: "mlops_monitor_prediction_score", dimensions: [("model", model)], aggregate: true).record(output)
    }

    /// Counters grow by what is new since the last call.
    mutating func tell(_ engine: MonitorEngine) {
        let counts = engine.counts
        count("prediction", counts.predictions - told.predictions)
        count("repeated", counts.repeated - told.repeated)
        count("stale", counts.stale - told.stale)
        count("without_entity", counts.withoutEntity - told.withoutEntity)
        count("without_output", counts.withoutOutput - told.withoutOutput)
        count("other_model", counts.otherModels - told.otherModels)
        count("unreadable", counts.unreadable - told.unreadable)
        count("label", counts.labels - told.labels)
        count("late_label", engine.join.lateLabels - toldMissing.late)
        let evicted = engine.totals.values.reduce(0) { $0 + $1.evicted }
        count("evicted", evicted - toldMissing.evicted)
        told = counts
        toldMissing = (engine.join.lateLabels, evicted)
        waiting.record(engine.join.waitingCount)
        if let last = engine.windows.filter(\.value.isClosed).keys.map(\.start).max() {
            windowEnd.record(Double(last + engine.settings.windows.length) / 1_000)
        }
        for (version, sums) in engine.totals { tell(sums, version) }
    }

    func tell(_ verdict: DriftVerdict, version: String) {
        let labels = [("model", model), ("version", version)]
        if let share = verdict.share { gauge("drifted_features_ratio", labels, share) }
        gauge("data_drift_detected", labels, verdict.isDrifted ? 1 : 0)
        for column in verdict.columns.prefix(Self.maxFeatures) {
            let feature = labels + [("feature", column.name)]
            gauge("missing_ratio", feature, column.currentMissing)
            guard case .score(let score, let method, let isDrifted) = column.verdict else { continue }
            let measured = feature + [("method", method.rawValue)]
            gauge("drift_score", measured, score)
            gauge("drift_threshold", measured, method.threshold)
            gauge("drift_detected", measured, isDrifted ? 1 : 0)
        }
    }

    private func tell(_ sums: ErrorSums, _ version: String) {
        let labels = [("model", model), ("version", version)]
        func performance(_ metric: String, _ source: String, _ value: Double?) {
            if let value { gauge("performance", labels + [("metric", metric), ("source", source)], value) }
        }
        performance("mae", "realized", sums.mae)
        performance("rmse", "realized", sums.rmse)
        performance("mean_error", "realized", sums.meanError)
        performance("mae", "baseline", sums.baselineMAE)
        performance("rmse", "baseline", sums.baselineRMSE)
        if let coverage = sums.coverage { gauge("label_coverage_ratio", labels, coverage) }
        if let delay = sums.meanDelay { gauge("label_delay_seconds", labels, delay / 1_000) }
    }

    private func gauge(_ name: String, _ labels: [(String, String)], _ value: Double) {
        Gauge(label: "mlops_monitor_" + name, dimensions: labels).record(value)
    }

    private func count(_ result: String, _ amount: Int) {
        guard amount > 0 else { return }
        Counter(label: "mlops_monitor_events_total", dimensions: [("model", model), ("result", result)]).increment(by: amount)
    }
}
