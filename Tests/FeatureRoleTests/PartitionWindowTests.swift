import Domain
import EventLog
import Expressions
import FeatureStore
import Features
import Foundation
import Logging
import Streaming
import Table
import Testing

@testable import FeatureRole

/// Windows that any entity's events close.
@Suite struct PartitionWindowTests {
    private func definitions() throws -> (StreamDefinition, CompiledViews) {
        let stream = StreamDefinition(
            name: "clicks", topic: "clicks", key: ["user"], time: "at",
            fields: [.init("user", .string), .init("price", .double), .init("at", .int)], dedupe: nil, require: [])
        let totals = ViewDefinition(
            name: "totals", topic: "totals", from: .stream("clicks"),
            window: .init(.tumbling(length: 60_000), grace: 1_000, closing: .partition),
            columns: [.init(name: "total", expression: try Expression.parse("sum(price)"))], filter: nil)
        return (stream, try CompiledViews(of: stream, definitions: [totals]))
    }

    @Test func `shards of a backfill have the rows of the stream where other entities' events close windows`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-shared-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory + "/log"), logger = Logger(label: "test")
        let (stream, views) = try definitions()
        try await log.createTopics(StreamTopics.plans(streams: [stream], views: views.views.map(\.definition)))
        // So far out of order that many come too late for their partition, and few for their entity.
        var random = RandomSource(seed: 5)
        let events = (0..<1_000).map { index in
            let user = "U\(random.index(below: 30))", at = 200_000 + Int64(index) * 2_000 - Int64(random.index(below: 120_000))
            let text = #"{"user":"\#(user)","price":\#(Double(random.index(below: 80)) / 8),"at":\#(at)}"#
            return Record(key: Array(user.utf8), value: Array(text.utf8), timestamp: at)
        }
        try await log.append(events, to: "clicks")
        for partition in 0..<StreamTopics.partitions {
            let plan = FeatureWorker.Plan(
                stream: stream, views: views, partition: partition, projectHash: ContentHash(of: "p"), batchRecords: 41)
            _ = try await FeatureWorker(plan, log: log, logger: logger).drain()
        }
        let rows = try await log.endOffsets(topic: "totals").reduce(0, +)
        let late = try await log.endOffsets(topic: "clicks.late").reduce(0, +)
        #expect(rows > 200 && late > 100)
        var parts: Int64 = 0
        for index in 0..<4 {
            let shard = try #require(EventHistory.Shard(index: index, count: 4))
            let backfill = Backfill(stream: stream, views: views, log: log, archive: nil, logger: logger)
            parts += Int64(
                try await backfill.run(["totals"], in: 0..<Int64.max, shard: shard, directory: directory + "/out").rows["totals"] ?? 0)
        }
        #expect(parts == rows)
    }
}
