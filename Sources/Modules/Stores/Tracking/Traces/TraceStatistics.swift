package import Domain
import GRDB

/// A question about many traces at once: how many, how long, how dear, by name, state or time.
package struct TraceStatistics: Sendable {
    /// What is looked at; raw values are the protocol's names.
    package enum View: String, Sendable, CaseIterable { case traces = "TRACES", spans = "SPANS", assessments = "ASSESSMENTS" }

    package enum Aggregation: Sendable, Hashable {
        case count, sum, average, least, most
        /// 0 to 100.
        case percentile(Double)

        /// As answers name it.
        package var name: String {
            switch self {
            case .count: "COUNT"
            case .sum: "SUM"
            case .average: "AVG"
            case .least: "MIN"
            case .most: "MAX"
            case .percentile(let share): "P\(share)"
            }
        }

        var kind: String { if case .percentile = self { "PERCENTILE" } else { name } }

        /// - Parameter values: Sorted, at least one.
        func of(_ values: [Double]) -> Double {
            switch self {
            case .count: return Double(values.count)
            case .sum: return values.reduce(0, +)
            case .average: return values.reduce(0, +) / Double(values.count)
            case .least: return values[0]
            case .most: return values[values.count - 1]
            case .percentile(let share):
                let place = share / 100 * Double(values.count - 1), below = Int(place)
                guard below + 1 < values.count else { return values[values.count - 1] }
                return values[below] + (values[below + 1] - values[below]) * (place - Double(below))
            }
        }
    }

    package struct Point: Sendable, Equatable {
        package var dimensions: [KeyValue]
        package var values: [(name: String, value: Double)]

        package static func == (a: Point, b: Point) -> Bool {
            a.dimensions == b.dimensions && a.values.map(\.name) == b.values.map(\.name) && a.values.map(\.value) == b.values.map(\.value)
        }
    }

    package static let maxResults = 1_000

    package var experiments: [String]
    package var view: View
    package var metric: String
    package var aggregations: [Aggregation]
    package var dimensions: [String] = []
    package var filters: [String] = []
    /// Seconds of one bucket; `nil` for no buckets.
    package var interval: Int64?
    package var from: EventTime.Milliseconds?
    package var until: EventTime.Milliseconds?
    package var limit = Self.maxResults

    package init(experiments: [String], view: View, metric: String, aggregations: [Aggregation]) {
        self.experiments = experiments
        self.view = view
        self.metric = metric
        self.aggregations = aggregations
    }

    // MARK: What there is

    private struct Metric {
        let sql: String
        let aggregations: Set<String>
        let dimensions: [String: String]
    }

    private static let amounts: Set<String> = ["SUM", "AVG", "MIN", "MAX", "PERCENTILE"]
    private static let lengths: Set<String> = ["AVG", "MIN", "MAX", "PERCENTILE"]
    private static let order: [View: [String]] = [
        .traces: [
            "trace_count", "session_count", "latency", "input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens",
            "cache_creation_input_tokens",
        ],
        .spans: ["span_count", "latency", "input_cost", "output_cost", "total_cost"],
        .assessments: ["assessment_count", "assessment_value"],
    ]

    private static func find(_ view: View, _ metric: String) throws(TrackingError) -> Metric {
        let known = order[view] ?? []
        guard known.contains(metric) else {
            throw TrackingError(
                .invalidParameter,
                "metric_name must be one of [\(known.map { "'\($0)'" }.joined(separator: ", "))], got '\(Validation.shown(metric))'")
        }
        let name = ["trace_name": "t.name"], models = ["span_model_name": "s.model", "span_model_provider": "s.provider"]
        switch (view, metric) {
        case (.traces, "trace_count"):
            return Metric(sql: "1", aggregations: ["COUNT"], dimensions: ["trace_name": "t.name", "trace_status": "t.state"])
        case (.traces, "session_count"): return Metric(sql: "t.session", aggregations: ["COUNT"], dimensions: [:])
        case (.traces, "latency"): return Metric(sql: "t.duration", aggregations: lengths, dimensions: name)
        case (.traces, _):
            let usage = "(SELECT m.value FROM trace_metadata m WHERE m.trace = t.seq AND m.key = '\(TraceKey.tokenUsage)')"
            return Metric(sql: "json_extract(\(usage), '$.\(metric)')", aggregations: amounts, dimensions: name)
        case (.spans, "span_count"):
            let own = ["span_name": "s.name", "span_type": "s.type", "span_status": "s.status"]
            return Metric(sql: "1", aggregations: ["COUNT"], dimensions: own.merging(models) { first, _ in first })
        case (.spans, "latency"):
            return Metric(
                sql: "(s.end_ns - s.start_ns) / 1000000", aggregations: lengths,
                dimensions: ["span_name": "s.name", "span_status": "s.status"])
        case (.spans, _): return Metric(sql: "json_extract(s.cost, '$.\(metric)')", aggregations: amounts, dimensions: models)
        case (.assessments, "assessment_count"):
            return Metric(sql: "1", aggregations: ["COUNT"], dimensions: ["assessment_name": "a.name", "assessment_value": "a.value"])
        case (.assessments, _):
            let number = "coalesce(a.number, CASE a.value WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 END)"
            return Metric(sql: number, aggregations: lengths, dimensions: ["assessment_name": "a.name"])
        }
    }

    // MARK: As a statement

    private static let sources: [View: String] = [
        .traces: "traces t", .spans: "traces t JOIN spans s ON s.trace = t.seq",
        .assessments: "traces t JOIN assessments a ON a.trace = t.seq AND a.valid",
    ]

    fileprivate func statement() throws(TrackingError) -> (sql: String, arguments: StatementArguments, names: [String]) {
        let metric = try Self.find(view, metric)
        let wrong = Set(aggregations.map(\.kind)).subtracting(metric.aggregations)
        guard wrong.isEmpty else {
            throw TrackingError(
                .invalidParameter,
                "Found invalid aggregation_type(s): \(Self.list(wrong)). Supported aggregation types: \(Self.list(metric.aggregations))")
        }
        let strange = Set(dimensions).subtracting(metric.dimensions.keys)
        guard strange.isEmpty else {
            throw TrackingError(
                .invalidParameter,
                "Found invalid dimension(s): \(Self.list(strange)). Supported dimensions: \(Self.list(Set(metric.dimensions.keys)))")
        }
        var columns: [String] = [], names: [String] = []
        if let interval {
            guard from != nil, until != nil else {
                throw TrackingError(.invalidParameter, "start_time_ms and end_time_ms are required if time_interval_seconds is set")
            }
            guard interval > 0, interval <= 1_000_000_000 else {
                throw TrackingError(.invalidParameter, "Invalid value \(interval) for parameter 'time_interval_seconds' supplied.")
            }
            let size = interval * 1_000, time = view == .spans ? "(s.start_ns / 1000000)" : "t.request_time"
            columns.append("(\(time) - ((\(time) % \(size)) + \(size)) % \(size))")
            names.append("time_bucket")
        }
        for dimension in dimensions {
            guard let column = metric.dimensions[dimension], !names.contains(dimension) else { continue }
            columns.append(column)
            names.append(dimension)
        }
        let wanted = experiments.compactMap { Int64($0) }.map(String.init).joined(separator: ",")
        var conditions = ["t.experiment IN (\(wanted))", "\(metric.sql) IS NOT NULL"] + columns.map { "\($0) IS NOT NULL" }
        var arguments = StatementArguments()
        for (bound, test) in [(from, ">="), (until, "<=")] {
            guard let bound else { continue }
            conditions.append("t.request_time \(test) ?")
            arguments += [bound]
        }
        for filter in filters {
            let (sql, values) = try condition(filter)
            conditions.append(sql)
            arguments += values
        }
        let groups = columns.enumerated().map { "\($1) AS d\($0), " }.joined()
        let order = (columns.indices.map { "d\($0)" } + ["v"]).joined(separator: ", ")
        let source = Self.sources[view] ?? "traces t"
        // A session counts once, however many traces it has.
        let distinct = self.metric == "session_count" ? "DISTINCT " : ""
        return (
            "SELECT \(distinct)\(groups)\(metric.sql) AS v FROM \(source) WHERE \(conditions.joined(separator: " AND ")) ORDER BY \(order)",
            arguments, names
        )
    }

    private static func list(_ names: Set<String>) -> String { "[" + names.sorted().map { "'\($0)'" }.joined(separator: ", ") + "]" }

    /// `trace.status = 'OK'`, `trace.tag.a = 'b'`, `trace.metadata.a = 'b'`, `span.name = 'a'`, `assessment.name = 'a'`
    private func condition(_ text: String) throws(TrackingError) -> (String, StatementArguments) {
        let comparisons = try SearchFilter(text).comparisons
        guard comparisons.count == 1, comparisons[0].op == .equal, case .text(let value) = comparisons[0].literal else {
            throw TrackingError(.invalidParameter, "Invalid filter: '\(Validation.shown(text))'. Expected one filter clause.")
        }
        let asked = comparisons[0], entity = asked.entity ?? ""
        switch entity {
        case "trace":
            for (prefix, table) in [("tag.", "trace_tags"), ("metadata.", "trace_metadata")] where asked.key.hasPrefix(prefix) {
                let key = String(asked.key.dropFirst(prefix.count))
                let linked =
                    key == TraceKey.sourceRun
                    ? " OR t.seq IN (SELECT l.trace FROM trace_links l WHERE l.kind = 'run' AND l.target = ?)" : ""
                let own = "(EXISTS (SELECT 1 FROM \(table) x WHERE x.trace = t.seq AND x.key = ? AND x.value = ?)\(linked))"
                return (own, linked.isEmpty ? [key, value] : [key, value, value])
            }
            if asked.key == "status" { return ("t.state = ?", [value]) }
        case "span" where view == .spans && ["name", "status", "type"].contains(asked.key): return ("s.\(asked.key) = ?", [value])
        case "span" where view != .spans:
            throw TrackingError(.invalidParameter, "Filtering by span is only supported for SPANS view type, got \(view.rawValue)")
        case "assessment" where view == .assessments && ["name", "type"].contains(asked.key):
            return (asked.key == "name" ? "a.name = ?" : "a.kind = ?", [value])
        case "assessment" where view != .assessments:
            throw TrackingError(
                .invalidParameter, "Filtering by assessment is only supported for ASSESSMENTS view type, got \(view.rawValue)")
        default: break
        }
        throw TrackingError(.invalidParameter, "Invalid filter: '\(Validation.shown(text))' names nothing that can be filtered by")
    }
}

extension TraceStore {
    /// The values asked for, group by group in the order of the dimensions.
    package func statistics(_ asked: TraceStatistics) async throws(TrackingError) -> [TraceStatistics.Point] {
        let (sql, arguments, names) = try asked.statement()
        return try await database.read { db in
            var points: [TraceStatistics.Point] = [], group: [String]?, values: [Double] = []
            func finish() {
                guard let group, !values.isEmpty, points.count < asked.limit else { return }
                values.sort()
                points.append(
                    .init(
                        dimensions: zip(names, group).map { KeyValue($0, $1) }, values: asked.aggregations.map { ($0.name, $0.of(values)) })
                )
            }
            let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
            while let row = try rows.next() {
                let own = names.indices.map { index -> String in
                    let value: DatabaseValue = row[index]
                    guard names[index] == "time_bucket", let time = Int64.fromDatabaseValue(value) else {
                        return String.fromDatabaseValue(value) ?? ""
                    }
                    return String(EventTime.format(time).prefix(19)) + "+00:00"
                }
                if own != group {
                    finish()
                    if points.count >= asked.limit { return points }
                    (group, values) = (own, [])
                }
                // What is only counted has no number.
                values.append(Double.fromDatabaseValue(row["v"]) ?? 1)
            }
            finish()
            return points
        }
    }
}
