import Domain
import Testing

@testable import MonitorRole

@Suite struct LabelJoinTests {
    private static let wait: Int64 = 1_000

    private func entity(_ name: String) throws -> EntityKey { try EntityKey([.string(name)]) }

    private func waiting(_ output: Double, version: String = "1", requestedAt: Int64 = 0) -> LabelJoin.Waiting {
        LabelJoin.Waiting(version: version, requestedAt: requestedAt, featureTime: 0, output: output, baseline: nil)
    }

    @Test(arguments: [(10_000, true), (10_999, true), (11_000, true), (11_001, false), (50_000, false)] as [(Int64, Bool)])
    func `a label counts until its entity's time has passed the wait`(clock: Int64, counts: Bool) throws {
        var join = LabelJoin(wait: Self.wait)
        #expect(join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000) == .waits)
        let expired = join.advance(try entity("a"), to: clock)
        let settled = join.add(label: 7, entity: try entity("a"), at: 10_000)
        #expect(expired.map(\.end) == (counts ? [] : [.missing]))
        #expect(settled.map(\.end) == (counts ? [.labelled(7, delay: clock - 10_000)] : []))
        #expect(join.lateLabels == (counts ? 0 : 1))
    }

    @Test(arguments: [9_999, 10_001] as [Int64])
    func `only the label of exactly the predicted time counts`(time: Int64) throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000)
        #expect(join.add(label: 7, entity: try entity("a"), at: time).isEmpty)
        #expect(join.waitingCount == 1)
    }

    @Test func `a label of another entity settles nothing`() throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000)
        #expect(join.add(label: 7, entity: try entity("b"), at: 10_000).isEmpty)
    }

    @Test func `a null label is missing, and no second word changes that`() throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000)
        #expect(join.add(label: nil, entity: try entity("a"), at: 10_000).map(\.end) == [.missing])
        #expect(join.add(label: 7, entity: try entity("a"), at: 10_000).isEmpty)
        #expect(
            join.add(waiting(5, version: "2"), entity: try entity("a"), predictedFor: 10_000)
                == .joined(.init(entity: try entity("a"), prediction: waiting(5, version: "2"), end: .missing)))
    }

    @Test func `a prediction that comes after its label is joined at once`() throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(label: 7, entity: try entity("a"), at: 10_000)
        _ = join.advance(try entity("a"), to: 10_400)
        let reception = join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000)
        #expect(reception == .joined(.init(entity: try entity("a"), prediction: waiting(5), end: .labelled(7, delay: 400))))
        #expect(join.add(waiting(6), entity: try entity("a"), predictedFor: 10_000) == .repeated)
    }

    @Test func `of several predictions for one entity, time and version the earliest asked for counts`() throws {
        var join = LabelJoin(wait: Self.wait)
        let a = try entity("a")
        #expect(join.add(waiting(5, requestedAt: 20), entity: a, predictedFor: 10_000) == .waits)
        #expect(join.add(waiting(6, requestedAt: 20), entity: a, predictedFor: 10_000) == .repeated)
        #expect(join.add(waiting(7, requestedAt: 30), entity: a, predictedFor: 10_000) == .repeated)
        #expect(join.add(waiting(8, requestedAt: 10), entity: a, predictedFor: 10_000) == .replaced)
        #expect(join.add(waiting(9, version: "2", requestedAt: 40), entity: a, predictedFor: 10_000) == .waits)
        #expect(join.add(label: 1, entity: a, at: 10_000).map(\.prediction.output) == [8, 9])
    }

    @Test func `a prediction for a time beyond the wait is stale`() throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(label: 1, entity: try entity("a"), at: 9_900)
        _ = join.advance(try entity("a"), to: 11_001)
        #expect(join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000) == .stale)
        #expect(join.add(waiting(5), entity: try entity("a"), predictedFor: 10_001) == .waits)
    }

    @Test func `an entity's time never goes back`() throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(label: 1, entity: try entity("a"), at: 20_000)
        _ = join.advance(try entity("a"), to: 20_000)
        _ = join.advance(try entity("a"), to: 5_000)
        #expect(join.now == 20_000)
        #expect(join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000) == .stale)
    }

    @Test func `nobody is late because another entity's records are read first`() throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000)
        _ = join.add(label: 1, entity: try entity("b"), at: 80_000_000)
        #expect(join.advance(try entity("b"), to: 80_000_000).isEmpty)
        #expect(join.add(label: 7, entity: try entity("a"), at: 10_000).map(\.end) == [.labelled(7, delay: 0)])
        #expect(join.waitingCount == 0)
    }

    @Test(arguments: [(86_400_000, []), (90_000_000, [.missing])] as [(Int64, [LabelJoin.End])])
    func `an entity that has gone silent is given up a day after the wait`(clock: Int64, ends: [LabelJoin.End]) throws {
        var join = LabelJoin(wait: Self.wait)
        _ = join.add(waiting(5), entity: try entity("a"), predictedFor: 10_000)
        _ = join.advance(to: 0)
        #expect(join.advance(to: clock).map(\.end) == ends)
        #expect(join.count == 1 - ends.count)
    }

    @Test func `memory is bounded: the oldest go first and are counted`() throws {
        var join = LabelJoin(wait: 1_000_000, maxEntries: 20)
        for time in (1...21).reversed() {
            _ = join.add(waiting(Double(time)), entity: try entity(time % 2 == 0 ? "a" : "b"), predictedFor: Int64(time))
        }
        let evicted = join.advance(to: 40)
        #expect(evicted.map(\.prediction.output) == [1, 2, 3])
        #expect(evicted.allSatisfy { $0.end == .evicted })
        #expect(join.count == 18)
        #expect(join.waitingCount == 18)
        #expect(join.advance(to: 41).isEmpty)
    }

    @Test func `what expires leaves in the order of time and version`() throws {
        var join = LabelJoin(wait: 0)
        for (version, time) in [("1", 20), ("2", 10), ("1", 10)] as [(String, Int64)] {
            _ = join.add(waiting(0, version: version), entity: try entity("a"), predictedFor: time)
        }
        let expired = join.advance(try entity("a"), to: 100)
        #expect(expired.map(\.prediction.version) == ["1", "2", "1"])
        #expect(join.count == 0)
    }

    @Test func `a join that was saved and put back goes on as if nothing had happened`() throws {
        var join = LabelJoin(wait: Self.wait)
        var saved: [EntityKey: [UInt8]] = [:]
        func save() { for (key, value) in join.takeChanges() { saved[key] = value } }
        _ = join.add(waiting(5, requestedAt: 7), entity: try entity("a"), predictedFor: 10_000)
        _ = join.add(label: nil, entity: try entity("b"), at: 10_000)
        save()
        _ = join.add(waiting(6), entity: try entity("c"), predictedFor: 9_000)
        _ = join.add(label: 4, entity: try entity("c"), at: 9_000)
        _ = join.advance(try entity("c"), to: 9_500)
        save()
        var copy = LabelJoin(wait: Self.wait)
        for (key, value) in saved { try copy.restore(key, value) }
        copy.restore(now: join.now, lateLabels: join.lateLabels)
        #expect(copy.count == join.count)
        for step in 0..<2 {
            var one = step == 0 ? join : copy
            #expect(one.add(waiting(1), entity: try entity("c"), predictedFor: 9_000) == .repeated)
            #expect(one.add(label: 3, entity: try entity("b"), at: 10_000).isEmpty)
            #expect(one.add(label: 3, entity: try entity("a"), at: 10_000).map(\.prediction.requestedAt) == [7])
        }
        _ = join.advance(to: 100_000_000)
        #expect(join.takeChanges().allSatisfy { $0.value == nil })
    }
}
