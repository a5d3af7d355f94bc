import Tracking
import Web

extension Route {
    static let traceMetrics: [Route] = [
        Route(.post, path: "traces/metrics", version: "3.0") { service, arguments in
            let experiments = try arguments.requiredTexts("experiment_ids")
            guard let kind = arguments["view_type"] else { throw arguments.missing("view_type") }
            let views = TraceStatistics.View.allCases
            let numbered = kind.int64.flatMap { (1...Int64(views.count)).contains($0) ? views[Int($0) - 1] : nil }
            guard let view = kind.string.flatMap({ TraceStatistics.View(rawValue: $0) }) ?? numbered else {
                throw arguments.invalid(kind, "view_type")
            }
            let metric = try arguments.text("metric_name")
            guard arguments["aggregations"] != nil else { throw arguments.missing("aggregations") }
            let aggregations = try arguments.objects("aggregations") { (asked) throws(TrackingError) in try aggregation(asked) }
            var statistics = TraceStatistics(experiments: experiments, view: view, metric: metric, aggregations: aggregations)
            statistics.dimensions = try arguments.texts("dimensions")
            statistics.filters = try arguments.texts("filters")
            statistics.interval = try arguments.optionalInt("time_interval_seconds")
            statistics.from = try arguments.optionalInt("start_time_ms")
            statistics.until = try arguments.optionalInt("end_time_ms")
            statistics.limit = try Validation.maxResults(
                arguments.optionalInt("max_results"), default: TraceStatistics.maxResults, limit: TraceStatistics.maxResults)
            let points = try await service.traces.statistics(statistics)
            return .object { writer in
                writer.list("data_points", points) { writer, point in
                    writer.object { writer in
                        writer.field("metric_name", metric)
                        if !point.dimensions.isEmpty {
                            writer.key("dimensions")
                            writer.object { writer in for pair in point.dimensions { writer.field(pair.key, pair.value) } }
                        }
                        writer.key("values")
                        writer.object { writer in for (name, value) in point.values { writer.field(name, value) } }
                    }
                }
            }
        }
    ]

    private static func aggregation(_ asked: Arguments) throws(TrackingError) -> TraceStatistics.Aggregation {
        guard let kind = asked["aggregation_type"] else { throw asked.missing("aggregation_type") }
        switch kind {
        case .string("COUNT"), .int(1): return .count
        case .string("SUM"), .int(2): return .sum
        case .string("AVG"), .int(3): return .average
        case .string("PERCENTILE"), .int(4):
            let share = try asked.number("percentile_value")
            guard (0...100).contains(share) else {
                throw TrackingError(.invalidParameter, "Percentile value must be between 0 and 100, got \(share)")
            }
            return .percentile(share)
        case .string("MIN"), .int(5): return .least
        case .string("MAX"), .int(6): return .most
        default: throw asked.invalid(kind, "aggregation_type")
        }
    }
}
