import Domain
import EventLog
import Expressions
import FeatureStore
import Features
import Foundation
import Logging
import ObjectStore
import Table
import Testing

@testable import FeatureRole

/// Clicks → totals a minute → their mean, over a log of their own.
struct RebuildFixture {
    let log: any EventLog
    let store: ObjectStore

    static func with(_ body: (RebuildFixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-rebuild-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        let (stream, views) = try definitions()
        try await log.createTopics(StreamTopics.plans(streams: [stream], views: views.views.map(\.definition)))
        try await body(RebuildFixture(log: log, store: try await ObjectStore(directory: directory + "/objects")))
    }

    static func definitions(period: Int = 3, least: Int = 0) throws -> (StreamDefinition, CompiledViews) {
        let stream = StreamDefinition(
            name: "clicks", topic: "clicks", key: ["user"], time: "at",
            fields: [.init("user", .string), .init("price", .double), .init("at", .int)], dedupe: nil, require: [])
        let totals = ViewDefinition(
            name: "totals", topic: "totals", from: .stream("clicks"), window: .init(length: 60_000, grace: 1_000, gaps: .none, maxGap: 0),
            columns: [.init(name: "total", expression: try Expression.parse("sum(price)"))],
            filter: try Expression.parse("total >= \(least)"), emit: .final,
            outliers: .init(column: "total", rule: .range(min: nil, max: 900), action: .quarantine))
        let means = ViewDefinition(
            name: "means", topic: "means", from: .view("totals"), window: nil,
            columns: [.init(name: "mean", expression: try Expression.parse("sma(total, \(period))"))], filter: nil)
        return (stream, try CompiledViews(of: stream, definitions: [totals, means]))
    }

    /// - Parameter log: Another way to the same log.
    func workers(
        period: Int = 3, least: Int = 0, batch: Int = 50, rebuilds: Bool = false, over log: (any EventLog)? = nil
    ) throws -> [FeatureWorker] {
        let (stream, views) = try Self.definitions(period: period, least: least)
        return try (0..<StreamTopics.partitions).map { partition in
            try FeatureWorker(
                .init(
                    stream: stream, views: views, partition: partition, projectHash: ContentHash(of: "p"), batchRecords: batch,
                    rebuilds: rebuilds), log: log ?? self.log, logger: Logger(label: "test"))
        }
    }

    /// Prices of user U0 are small; every hundredth event is junk, some are late, and a few totals are outliers.
    func events(_ range: Range<Int>) -> [Record] {
        range.map { index in
            let user = "U\(index % 6)", at = Int64(index) * 2_000 - (index % 40 == 7 ? 90_000 : 0)
            let price = index % 6 == 0 ? 1 : index % 331 == 5 ? 1_000 : index % 13
            let text = index % 100 == 99 ? "junk" : #"{"user":"\#(user)","price":\#(price),"at":\#(max(0, at))}"#
            return Record(key: Array(user.utf8), value: Array(text.utf8), timestamp: max(0, at))
        }
    }

    struct Row: Equatable {
        let time: Int64
        let value: String
    }

    /// The rows of a topic that count, by key.
    func rows(_ topic: String, of view: String) async throws -> [String: [Row]] {
        let definition = try #require(try Self.definitions().1.views.first { $0.definition.name == view }).definition
        var generations = Generations(of: definition, topic: topic, log: log), found: [String: [Row]] = [:]
        for partition in 0..<StreamTopics.partitions {
            let generation = try await generations.current(partition)
            for stored in try await log.read(topic: topic, partition: partition, from: 0, limit: 100_000).records()
            where generation.counts(stored.offset) || topic.hasSuffix(".latest") {
                guard let value = stored.record.value else { continue }
                found[String(decoding: stored.record.key ?? [], as: UTF8.self), default: []].append(
                    Row(time: stored.record.timestamp, value: String(decoding: value, as: UTF8.self)))
            }
        }
        return found
    }

    func history(_ view: String, period: Int, least: Int) async throws -> Table {
        let views = try Self.definitions(period: period, least: least).1.views
        return try await OfflineStore(log: log, store: store, views: views).read(view: view).table
    }

    /// Everything that somebody could read of the views.
    func picture(period: Int, least: Int = 0) async throws -> [String: [String: [Row]]] {
        var picture: [String: [String: [Row]]] = [:]
        for (topic, view) in [
            ("totals", "totals"), ("means", "means"), ("totals.latest", "totals"), ("means.latest", "means"),
            ("totals.quarantine", "totals"),
        ] { picture[topic] = try await rows(topic, of: view) }
        for view in ["totals", "means"] {
            picture["history of \(view)"] = ["": [Row(time: 0, value: "\(try await history(view, period: period, least: least).columns)")]]
        }
        return picture
    }
}
