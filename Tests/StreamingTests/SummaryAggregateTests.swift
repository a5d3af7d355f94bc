import Domain
import Expressions
import Statistics
import Table
import Testing

@testable import Streaming

/// `std`, `count_distinct` and `quantile` in windows of every kind: what they say, and that nothing but the events matters.
@Suite struct SummaryAggregateTests {
    private static let calls: [AggregateCall] = [
        AggregateCall(kind: .std, argument: 0, type: .double),
        AggregateCall(kind: .countDistinct, argument: 0, type: .int),
        AggregateCall(kind: .quantile, argument: 0, parameter: 0.25, type: .double),
    ]

    private static let rules: [WindowRule] = {
        let shapes = [
            try? WindowShape(length: 12_000, grace: 700),
            try? WindowShape(length: 12_000, step: 6_000, grace: 0),
        ]
        return shapes.compactMap { $0.map(WindowRule.aligned) } + [
            .sliding(length: 1_000, grace: 500), .session(gap: 300, grace: 500), .count(900, step: 450),
        ]
    }()

    /// A dense key whose windows outgrow what is kept exactly, and a sparse one.
    private func happenings() -> [Happening] {
        var random = RandomSource(seed: 31)
        var clocks: [Int64] = [0, 0]
        var all: [Happening] = []
        for _ in 0..<2_200 {
            let key = random.index(below: 10) == 0 ? 1 : 0
            clocks[key] += Int64(random.index(below: key == 0 ? 30 : 900))
            let value =
                random.index(below: 12) == 0 ? nil : (Double(random.index(below: 3_000)) / 8 - 100)
            all.append(
                Happening(key: key, time: clocks[key] - Int64(random.index(below: 400)), value: value))
        }
        return all + [Happening(kind: .end, key: 0, time: 0), Happening(kind: .end, key: 1, time: 0)]
    }

    private func windows(_ rule: WindowRule, _ calls: [AggregateCall] = calls) -> any KeyedWindows {
        rule.windows(emitsCurrent: false, calls: calls, argumentTypes: [.double])
    }

    @Test(arguments: rules)
    func `each row says what its events come to`(rule: WindowRule) throws {
        let happenings = happenings()
        let expected = WindowOracle.run(rule, happenings)
        var windows = windows(rule)
        let rows = run(happenings, &windows).rows
        #expect(rows.count == expected.rows.count && rows.count > 0)
        var outgrown = 0
        for (row, expected) in zip(rows, expected.rows) {
            let values = expected.members.compactMap { happenings[$0].value }
            let distinct = Set(values).count
            let found = (row.cells[1].number ?? -1)
            guard !values.isEmpty else {
                #expect(row.cells == [.null, .int(0), .null])
                continue
            }
            let mean = values.reduce(0, +) / Double(values.count)
            let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
                .squareRoot()
            #expect(abs((row.cells[0].number ?? .nan) - deviation) <= 1e-9 * deviation + 1e-12)
            let allowed =
                distinct <= DistinctSketch.exactCount
                ? 0 : 4 * DistinctSketch.standardError * Double(distinct)
            #expect(abs(found - Double(distinct)) <= allowed)
            let quantile = try #require(Quantile.linear(0.25, of: values))
            let error = values.count <= QuantileSketch.exactCount ? 0 : 100.0 / 32
            #expect(abs((row.cells[2].number ?? .nan) - quantile) <= error)
            if distinct > DistinctSketch.exactCount { outgrown += 1 }
        }
        if case .session = rule {
        } else {
            #expect(outgrown > 0 || rule == .sliding(length: 1_000, grace: 500))
        }
    }

    @Test(arguments: rules)
    func `batches, kills and restores change no bit`(rule: WindowRule) throws {
        let happenings = happenings()
        var whole = windows(rule)
        let expected = run(happenings, &whole).rows
        var random = RandomSource(seed: 2)
        var at = 0
        var rows: [Row] = []
        var present = windows(rule)
        while at < happenings.count {
            let next = min(happenings.count, at + 1 + random.index(below: 400))
            rows +=
                run(Array(happenings[at..<next]), &present, batches: 1 + random.index(below: 90), from: at)
                .rows
            at = next
            present.growKeys(to: 2)
            var other = windows(rule)
            for key in [1, 0] {
                var writer = BinaryWriter()
                present.encodeKey(key, into: &writer)
                var reader = BinaryReader(writer.bytes)
                try other.decodeKey(key, from: &reader)
                #expect(reader.isAtEnd)
            }
            present = other
        }
        #expect(rows == expected)
    }

    @Test func `different values are told apart whatever their type, and zero is one value`() throws {
        func distinct(_ column: Column) -> Value {
            var lane = Lane(
                AggregateCall(kind: .countDistinct, argument: 0, type: .int), argumentType: column.type)
            lane.grow(to: 1)
            let rows = (0..<column.count).map(Int32.init)
            lane.add(
                column, rows: rows, slots: rows.map { _ in 0 }, times: rows.map(Int64.init),
                offsets: rows.map(Int64.init))
            return lane.value(0)
        }
        #expect(distinct(Column("x", .double([0.0, -0.0, 1, 1, 2]))) == .int(3))
        #expect(distinct(Column("x", ints: [1, nil, 1, -1])) == .int(2))
        #expect(distinct(Column("x", strings: ["a", "b", nil, "a", ""])) == .int(3))
        #expect(distinct(Column("x", .bool([true, true, false]))) == .int(2))
        #expect(distinct(Column("x", .time([5, 5, 7]))) == .int(2))
        #expect(distinct(Column("x", strings: [nil, nil])) == .int(0))
    }

    @Test(
        arguments: [
            (WindowShape.Gaps.forward, [.double(0), .int(0), .double(7)]),
            (.null, [.null, .int(0), .null]),
        ] as [(WindowShape.Gaps, [Value])])
    func `a silent window is flat or null`(gaps: WindowShape.Gaps, cells: [Value]) throws {
        let shape = try WindowShape(length: 1_000, grace: 0, gaps: gaps, maxGap: 10_000)
        var windows = windows(.aligned(shape))
        let rows = run(
            [Happening(key: 0, time: 100, value: 7), Happening(key: 0, time: 2_100, value: 9)], &windows
        ).rows
        #expect(rows.map(\.synthetic) == [false, true])
        #expect(rows.map(\.cells) == [[.double(0), .int(1), .double(7)], cells])
    }
}
