import Domain
import EventLog
import Expressions
import FeatureStore
import Features
import Foundation
import Logging
import Table
import Testing

@testable import MonitorRole

@Suite struct MonitorWorkerTests {
    private static let minute: Int64 = 60_000

    private func withLog(_ body: (LocalLog) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-monitor-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        try await log.createTopics([.init(name: "predictions", partitions: 3), .init(name: "candles", partitions: 2)])
        try await body(log)
    }

    private func candles() throws -> CompiledView {
        let definition = ViewDefinition(
            name: "candles", topic: "candles", from: .stream("trades"),
            window: .init(length: Self.minute, grace: 0, gaps: .none, maxGap: 86_400_000),
            columns: [.init(name: "close", expression: try Expression.parse("last(price)"))], filter: nil)
        return try CompiledView(
            definition,
            input: ViewSchema(key: [("pair", .string)], declared: [("pair", .string), ("price", .double)], metadata: .event))
    }

    /// - Parameter time: Wall time; one that is killed leaves a lease that runs out after ten seconds.
    private func worker(_ log: any EventLog, at time: Int64 = 0) throws -> MonitorWorker {
        MonitorWorker(
            MonitorEngineTests.settings(baseline: "close"),
            plan: .init(predictionsTopic: "predictions", labelView: try candles()), log: log,
            reference: { _ in try Table([Column("price", doubles: (0..<200).map { Double($0 % 50) })]) },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), wall: { time })
    }

    /// Predictions of two versions and the rows that answer them, for three pairs.
    private func fill(_ log: any EventLog, minutes: Range<Int>, answered: Bool = true, predicted: Bool = true) async throws {
        for minute in minutes {
            for pair in ["a", "b", "c"] {
                let time = Int64(minute) * Self.minute
                let entity = try EntityKey([.string(pair)])
                let row =
                    "{\"pair\":\"\(pair)\",\"close\":\(minute % 13).0,\"window_start_ms\":\(time - Self.minute),\"window_end_ms\":\(time),\"is_final\":true,\"synthetic\":false}"
                let record = Record(key: entity.bytes, value: Array(row.utf8), timestamp: time - Self.minute)
                if answered { try await log.append([record], to: "candles") }
                guard predicted else { continue }
                let prediction = Prediction(
                    id: "\(minute)\(pair)", entity: entity, requestedAt: time, featureTime: time, predictedFor: time + 10 * Self.minute,
                    model: "m", version: minute < 100 ? "1" : "2", features: [("price", .double(Double(minute % 50)))],
                    valuesHash: ContentHash(of: ""), output: Double(minute % 13))
                try await log.append([prediction.record], to: "predictions")
            }
        }
    }

    @Test func `a drained monitor has joined every prediction whose label is there`() async throws {
        try await withLog { log in
            try await fill(log, minutes: 0..<150)
            let worker = try worker(log)
            #expect(try await worker.drain() == 900)
            let engine = await worker.snapshot
            #expect(engine.totals["1"]?.predictions == 300)
            #expect(engine.totals["1"]?.labelled == 300)
            #expect(engine.totals["2"]?.predictions == 150)
            #expect(engine.totals["2"]?.labelled == 120)
            #expect(engine.totals["2"]?.open == 30)
            #expect(engine.totals["1"]?.baselineMAE == engine.totals["1"]?.mae)
            #expect(engine.drift(of: "1") != nil)
            #expect(try await worker.drain() == 0)
        }
    }

    @Test func `a monitor that is restarted again and again ends as one that read all at once`() async throws {
        try await withLog { log in
            var pieces: MonitorEngine?
            for part in 0..<5 {
                try await fill(log, minutes: part * 30..<(part + 1) * 30)
                let worker = try worker(log, at: Int64(part) * 10_000)
                try await worker.drain()
                pieces = await worker.snapshot
            }
            try await withLog { other in
                try await fill(other, minutes: 0..<150)
                let worker = try worker(other)
                try await worker.drain()
                let whole = await worker.snapshot
                #expect(pieces?.totals == whole.totals)
                #expect(pieces?.counts == whole.counts)
                #expect(pieces?.windows.mapValues(\.errors) == whole.windows.mapValues(\.errors))
            }
        }
    }

    /// Says what counts of the rows of candles that there are now.
    private func note(_ change: (Generation, _ end: Int64) -> Generation, _ log: any EventLog) async throws {
        var generations = Generations(of: try candles().definition, log: log)
        for (partition, end) in try await log.endOffsets(topic: "candles").enumerated() {
            let generation = change(try await generations.current(partition), end)
            let record = Record(key: Array("candles".utf8), value: generation.json, timestamp: 0)
            try await log.commit(
                LogUnit(group: "", outputs: [.init(topic: "candles.generations", records: [record], partition: partition)]))
        }
    }

    @Test(arguments: [false, true]) func `rows that a rebuild has written count once, for whoever saw the old ones and for others`(
        isFollowed: Bool
    ) async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "candles.generations", partitions: 2, isCompacted: true)])
            try await fill(log, minutes: 0..<20)
            let worker = try worker(log)
            if isFollowed { #expect(try await worker.drain() == 120) }
            try await note({ $0.begun(at: $1) }, log)
            try await fill(log, minutes: 0..<20, predicted: false)
            if isFollowed { #expect(try await worker.drain() == 0) }
            try await note({ $0.done(at: $1) }, log)
            #expect(try await worker.drain() == (isFollowed ? 0 : 120))
            // What the rebuild has written holds nothing up.
            try await fill(log, minutes: 20..<30, answered: false)
            #expect(try await worker.drain() == 30)
            try await fill(log, minutes: 20..<30, predicted: false)
            #expect(try await worker.drain() == 30)
            let engine = await worker.snapshot
            #expect(engine.totals["1"]?.predictions == 90)
            #expect(engine.totals["1"]?.labelled == 60)
        }
    }

    @Test func `a second monitor waits while the first one lives`() async throws {
        try await withLog { log in
            try await fill(log, minutes: 0..<20)
            let first = try worker(log), second = try worker(log)
            #expect(try await first.drain() == 120)
            try await fill(log, minutes: 20..<30)
            await #expect(throws: MonitorWorker.Held(model: "m")) { try await second.drain() }
            #expect(try await first.drain() == 60)
            try await first.release()
            try await fill(log, minutes: 30..<40)
            #expect(try await second.drain() == 60)
            #expect(await second.snapshot.counts.predictions == 120)
        }
    }

    @Test func `a record that is no prediction is counted and passed over`() async throws {
        try await withLog { log in
            try await log.append([Record(key: nil, value: Array("oops".utf8), timestamp: 0)], to: "predictions")
            try await fill(log, minutes: 0..<2)
            let worker = try worker(log)
            try await worker.drain()
            let engine = await worker.snapshot
            #expect(engine.counts.unreadable == 1)
            #expect(engine.counts.predictions == 6)
        }
    }

    @Test func `the page stands alone, stays small and escapes what strangers wrote`() async throws {
        try await withLog { log in
            try await fill(log, minutes: 0..<150)
            let worker = try worker(log)
            try await worker.drain()
            var engine = await worker.snapshot
            engine.take(try MonitorEngineTests.prediction(at: 200 * Self.minute, version: "<script>alert(1)</script>"))
            let page = MonitorReport(engine).html()
            #expect(page.utf8.count < 500_000)
            #expect(!page.contains("<script"))
            #expect(!page.contains("http://") && !page.contains("https://"))
            #expect(page.contains("<svg"))
            #expect(page.contains("Mean absolute error by window"))
        }
    }

    @Test func `the summary names errors, coverage and drift`() async throws {
        try await withLog { log in
            try await fill(log, minutes: 0..<150)
            let worker = try worker(log)
            try await worker.drain()
            let text = MonitorReport(await worker.snapshot).summary
            #expect(text.contains("version 1: 300 predicted, 300 labelled"))
            #expect(text.contains("MAE"))
            #expect(text.contains("baseline MAE"))
            #expect(text.contains("drift:"))
        }
    }
}
