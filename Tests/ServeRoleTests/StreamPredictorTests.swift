import Domain
import EventLog
import Features
import Synchronization
import Testing

@testable import ServeRole

@Suite struct StreamPredictorTests {
    private func slot(_ number: Int, hashes: [String: ContentHash] = ServeFixture.hashes, in fixture: ServeFixture) throws -> ModelSlot {
        let slot = ModelSlot(name: "m")
        try put(number, hashes: hashes, into: slot, fixture)
        return slot
    }

    private func put(_ number: Int, hashes: [String: ContentHash] = ServeFixture.hashes, into slot: ModelSlot, _ fixture: ServeFixture)
        throws
    {
        let loaded = try ServeFixture.model(number, hashes: hashes)
        slot.put(
            ServedModel(
                version: ModelVersion(model: "m", number: number), alias: "champion", loaded: loaded,
                binding: FeatureBinding(loaded, columns: fixture.view.schema.columns.map(\.name), current: ServeFixture.hashes)))
    }

    /// - Parameter time: Wall time; one that is killed leaves leases that run out after ten seconds.
    /// - Parameter clock: Stands still unless a test moves it, so that no lease is renewed by the way.
    private func predictor(
        _ slot: ModelSlot, _ fixture: ServeFixture, at time: Int64 = 5_000_000,
        clock: @escaping @Sendable () -> ContinuousClock.Instant = Self.stopped
    ) -> StreamPredictor {
        StreamPredictor(
            slot: slot, view: fixture.view, log: fixture.log, predictionsTopic: "predictions", metrics: ServeMetrics(model: "m"),
            logger: ServeFixture.logger, wall: { time }, clock: clock, instance: "test")
    }

    private static let beginning = ContinuousClock.now
    @Sendable private static func stopped() -> ContinuousClock.Instant { beginning }

    private func texts(_ fixture: ServeFixture) async throws -> [String] {
        try await fixture.predictions().map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }

    @Test func `each final row is predicted once, whoever goes on`() async throws {
        try await ServeFixture.run { fixture in
            let slot = try slot(3, in: fixture)
            for round in 1...4 {
                for pair in ["a", "b", "c"] { try await fixture.put(pair, Double(round), at: Int64(round) * 60_000) }
                let predictor = predictor(slot, fixture, at: Int64(round) * 10_000)
                try await predictor.open(from: .beginning)
                #expect(try await predictor.drain() == 3)
                #expect(try await predictor.drain() == 0)
            }
            #expect(try await fixture.predictions().count == 12)
        }
    }

    @Test func `what another process holds is left to it, until its lease runs out`() async throws {
        try await ServeFixture.run { fixture in
            let slot = try slot(3, in: fixture)
            let first = predictor(slot, fixture, at: 0), second = predictor(slot, fixture, at: 9_999),
                third = predictor(slot, fixture, at: 20_000)
            try await first.open(from: .beginning)
            try await fixture.put("a", 1, at: 60_000)
            try await second.open(from: .beginning)
            #expect(await !second.hasAll)
            #expect(try await second.drain() == 0)
            try await third.open(from: .beginning)
            #expect(await third.hasAll)
            #expect(try await third.drain() == 1)
            try await fixture.put("a", 2, at: 120_000)
            await #expect(throws: EventLogError.self) { try await first.drain() }
            #expect(try await fixture.predictions().count == 1)
        }
    }

    @Test func `who learns on renewing that another process has the partition predicts nothing more`() async throws {
        try await ServeFixture.run { fixture in
            let slot = try slot(3, in: fixture), passed = Mutex(Duration.zero)
            let first = predictor(slot, fixture, at: 0, clock: { Self.beginning + passed.withLock { $0 } })
            let second = predictor(slot, fixture, at: 20_000)
            try await first.open(from: .beginning)
            try await fixture.put("a", 1, at: 60_000)
            try await second.open(from: .beginning)
            #expect(try await second.drain() == 1)
            try await fixture.put("a", 2, at: 120_000)
            passed.withLock { $0 = .seconds(4) }
            #expect(try await first.drain() == 0)
            #expect(try await fixture.predictions().count == 1)
        }
    }

    @Test func `the record says what was asked, when, of which version and from which inputs`() async throws {
        try await ServeFixture.run { fixture in
            try await fixture.put("a", 1.5, at: 120_000)
            let predictor = predictor(try slot(3, in: fixture), fixture)
            try await predictor.open(from: .beginning)
            try await predictor.drain()
            let record = try #require(try await fixture.predictions().first)
            #expect(record.key == Array("a".utf8))
            #expect(record.timestamp == 120_000)
            let text = String(decoding: record.value ?? [], as: UTF8.self)
            let inputs = #"{"double_price":3.0,"price":1.5}"#
            #expect(
                text.contains(#""requested_at_ms":5000000,"feature_time_ms":120000,"predicted_for_ms":720000,"model":"m","version":"3""#))
            #expect(text.contains(#""features":\#(inputs),"values_hash":"\#(ContentHash(of: inputs).hex)","output":4.5}"#))
        }
    }

    @Test func `rows before the latest start are never predicted, also not after a restart`() async throws {
        try await ServeFixture.run { fixture in
            try await fixture.put("a", 1, at: 60_000)
            let slot = try slot(3, in: fixture)
            let first = predictor(slot, fixture)
            try await first.open(from: .latest)
            try await first.release()
            try await fixture.put("a", 2, at: 120_000)
            let restarted = predictor(slot, fixture)
            try await restarted.open(from: .beginning)
            #expect(try await restarted.drain() == 1)
            #expect(try await texts(fixture).first?.contains("\"feature_time_ms\":120000") == true)
        }
    }

    @Test func `the latest start is where the stream stood when the first version came`() async throws {
        try await ServeFixture.run { fixture in
            let slot = ModelSlot(name: "m"), predictor = predictor(slot, fixture)
            try await predictor.open(from: .latest)
            try await fixture.put("a", 1, at: 60_000)
            #expect(try await predictor.drain() == 0)
            try put(1, into: slot, fixture)
            try await predictor.open(from: .latest)
            try await fixture.put("a", 2, at: 120_000)
            #expect(try await predictor.drain() == 1)
        }
    }

    @Test func `rows that are not final and rows without a number give no prediction`() async throws {
        try await ServeFixture.run { fixture in
            try await fixture.put("a", 1, at: 60_000, isFinal: false)
            let text =
                #"{"pair":"a","price":null,"double_price":2.0,"window_start_ms":0,"window_end_ms":60000,"is_final":true,"synthetic":true}"#
            try await fixture.log.append([Record(key: Array("a".utf8), value: Array(text.utf8), timestamp: 0)], to: "rows")
            let predictor = predictor(try slot(3, in: fixture), fixture)
            try await predictor.open(from: .beginning)
            #expect(try await predictor.drain() == 0)
            #expect(try await fixture.predictions().isEmpty)
        }
    }

    @Test func `without a usable model the rows wait`() async throws {
        try await ServeFixture.run { fixture in
            try await fixture.put("a", 1, at: 60_000)
            let slot = ModelSlot(name: "m"), predictor = predictor(slot, fixture)
            try await predictor.open(from: .beginning)
            await #expect(throws: StreamPredictor.Error.self) { try await predictor.drain() }
            try put(1, hashes: ["price": ContentHash(of: "another meaning")], into: slot, fixture)
            await #expect(throws: StreamPredictor.Error.self) { try await predictor.drain() }
            try put(2, into: slot, fixture)
            #expect(try await predictor.drain() == 1)
        }
    }

    @Test func `a binding names the inputs that mean something else or are not there`() throws {
        let loaded = try ServeFixture.model(1)
        let same = FeatureBinding(loaded, columns: ["pair", "price", "double_price"], current: ServeFixture.hashes)
        #expect(same.positions == [2, 1])
        #expect(same.mismatched.isEmpty)
        var other = ServeFixture.hashes
        other["price"] = ContentHash(of: "price 2")
        #expect(FeatureBinding(loaded, columns: ["price", "double_price"], current: other).mismatched == ["price"])
        #expect(FeatureBinding(loaded, columns: ["price"], current: ServeFixture.hashes).mismatched == ["double_price"])
        #expect(
            FeatureBinding(try ServeFixture.model(1, hashes: [:]), columns: ["price", "double_price"], current: other).mismatched.isEmpty)
    }
}
