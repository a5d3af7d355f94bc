import Testing

@testable import Tracking

@Suite struct BucketsTests {
    /// Expected values are what MLflow's server answers.
    @Test(arguments: [
        (10, 5, [0, 2, 4, 6, 9]), (10, 3, [0, 4, 9]), (10, 1, [9]), (7, 4, [0, 2, 4, 6]), (3, 5, [0, 1, 2]), (0, 5, []),
        (20, 3, [0, 7, 19]),
    ])
    func `a history is thinned to the first of each bucket and the very last`(count: Int, limit: Int, expected: [Int]) async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1, metrics: (0..<count).map { Metric("m", 1, timestamp: 5, step: Int64($0)) })
        let found = try await fixture.store.bucketedHistory(run: run, key: "m", maxPoints: limit)
        #expect(found.map(\.step) == expected.map { Int64($0) })
    }
}

@Suite struct TraceStatisticsTests {
    @Test func `traces are counted and measured by name, state and time`() async throws {
        let fixture = try await TraceFixture()
        for (index, duration) in [100, 200, 400].enumerated() {
            try await fixture.trace(
                "tr-\(index)", at: Int64(index) * 3_600_000, took: Int64(duration), index == 2 ? .error : .ok,
                tags: [KeyValue("mlflow.traceName", index == 0 ? "a" : "b")])
        }
        func ask(_ metric: String, _ aggregations: [TraceStatistics.Aggregation], _ change: (inout TraceStatistics) -> Void = { _ in })
            async throws -> [TraceStatistics.Point]
        {
            var asked = TraceStatistics(experiments: ["0"], view: .traces, metric: metric, aggregations: aggregations)
            change(&asked)
            return try await fixture.store.statistics(asked)
        }
        let states = try await ask("trace_count", [.count]) { $0.dimensions = ["trace_status"] }
        #expect(states.map { $0.dimensions[0].value } == ["ERROR", "OK"] && states.map { $0.values[0].value } == [1, 2])
        let latency = try await ask("latency", [.average, .percentile(50), .least, .most]) { $0.dimensions = ["trace_name"] }
        #expect(latency[1].values.map(\.name) == ["AVG", "P50.0", "MIN", "MAX"] && latency[1].values.map(\.value) == [300, 300, 200, 400])
        let buckets = try await ask("trace_count", [.count]) { ($0.interval, $0.from, $0.until) = (7_200, 0, 9_000_000) }
        #expect(buckets.map { $0.dimensions[0].value } == ["1970-01-01T00:00:00+00:00", "1970-01-01T02:00:00+00:00"])
        #expect(buckets.map { $0.values[0].value } == [2, 1])
        let filtered = try await ask("trace_count", [.count]) {
            $0.filters = ["trace.tag.`mlflow.traceName` = 'b'", "trace.status = 'OK'"]
        }
        #expect(filtered.map { $0.values[0].value } == [1])
        for (metric, aggregation, dimension) in [("none", .count, nil), ("latency", .sum, nil), ("latency", .average, "trace_status")]
            as [(String, TraceStatistics.Aggregation, String?)]
        {
            let code = await refusal { try await ask(metric, [aggregation]) { $0.dimensions = dimension.map { [$0] } ?? [] } }
            #expect(code == .invalidParameter)
        }
    }
}
