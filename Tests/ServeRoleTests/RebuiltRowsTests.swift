import Domain
import EventLog
import FeatureStore
import Features
import Testing

@testable import ServeRole

/// Rows that are none, rows of other definitions, and rows that a rebuild has written.
@Suite struct RebuiltRowsTests {
    private static let beginning = ContinuousClock.now

    private func predictor(_ fixture: ServeFixture) throws -> StreamPredictor {
        let slot = ModelSlot(name: "m"), loaded = try ServeFixture.model(3)
        slot.put(
            ServedModel(
                version: ModelVersion(model: "m", number: 3), alias: "champion", loaded: loaded,
                binding: FeatureBinding(loaded, columns: fixture.view.schema.columns.map(\.name), current: ServeFixture.hashes)))
        return StreamPredictor(
            slot: slot, view: fixture.view, log: fixture.log, predictionsTopic: "predictions", metrics: ServeMetrics(model: "m"),
            logger: ServeFixture.logger, wall: { 0 }, clock: { Self.beginning }, instance: "test")
    }

    private func note(_ change: (Generation, Int64) -> Generation, _ fixture: ServeFixture) async throws {
        try await fixture.log.createTopics([.init(name: "rows.generations", partitions: 2, isCompacted: true)])
        var generations = Generations(of: fixture.view.definition, log: fixture.log)
        for (partition, end) in try await fixture.log.endOffsets(topic: "rows").enumerated() {
            let generation = change(try await generations.current(partition), end)
            let record = Record(key: Array("rows".utf8), value: generation.json, timestamp: 0)
            try await fixture.log.commit(
                LogUnit(group: "", outputs: [.init(topic: "rows.generations", records: [record], partition: partition)]))
        }
    }

    @Test func `what is no row is passed over`() async throws {
        try await ServeFixture.run { fixture in
            let predictor = try predictor(fixture)
            try await predictor.open(from: .latest)
            for pair in ["a", "b"] {
                try await fixture.log.append([Record(key: Array(pair.utf8), value: Array("junk".utf8), timestamp: 0)], to: "rows")
                try await fixture.put(pair, 2, at: 60_000)
                let other = Array(#"{"price":"high","window_end_ms":[]}"#.utf8)
                try await fixture.log.append([Record(key: Array(pair.utf8), value: other, timestamp: 0)], to: "rows")
            }
            #expect(try await predictor.drain() == 2)
            try await fixture.put("a", 3, at: 120_000)
            #expect(try await predictor.drain() == 1)
        }
    }

    @Test func `rows of a rebuild are not predicted, and what comes after them is`() async throws {
        try await ServeFixture.run { fixture in
            let predictor = try predictor(fixture)
            try await predictor.open(from: .latest)
            for pair in ["a", "b", "c", "d"] { try await fixture.put(pair, 1, at: 60_000) }
            #expect(try await predictor.drain() == 4)
            try await note({ $0.begun(at: $1) }, fixture)
            for pair in ["a", "b", "c", "d"] { try await fixture.put(pair, 2, at: 60_000) }
            #expect(try await predictor.drain() == 0)
            try await note({ $0.done(at: $1) }, fixture)
            #expect(try await predictor.drain() == 0)
            for pair in ["a", "b", "c", "d"] { try await fixture.put(pair, 3, at: 120_000) }
            #expect(try await predictor.drain() == 4)
            #expect(try await predictor.drain() == 0)
        }
    }

    @Test func `who begins at the beginning takes the history as the rebuild has it`() async throws {
        try await ServeFixture.run { fixture in
            for pair in ["a", "b", "c", "d"] { try await fixture.put(pair, 1, at: 60_000) }
            try await note({ $0.begun(at: $1) }, fixture)
            for pair in ["a", "b", "c", "d"] { try await fixture.put(pair, 2, at: 60_000) }
            try await note({ $0.done(at: $1) }, fixture)
            let predictor = try predictor(fixture)
            try await predictor.open(from: .beginning)
            #expect(try await predictor.drain() == 4)
            let outputs = try await fixture.predictions().map { String(decoding: $0.value ?? [], as: UTF8.self) }
            #expect(outputs.allSatisfy { $0.contains("\"output\":5.0") })
        }
    }
}
