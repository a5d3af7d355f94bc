import Domain
import Expressions
import Table
import Testing

@testable import Streaming

/// An event or tick of a test: key, time, value; ticks have no value.
struct Happening: Sendable {
    var kind: Kind = .event
    var key: Int
    var time: Int64
    var value: Double? = 1

    enum Kind: Sendable { case event, idle, end }
}

/// A row of a window in a form that is easy to compare.
struct Row: Equatable, CustomStringConvertible {
    var key: Int
    var start: Int64
    var end: Int64
    var synthetic = false
    var mark: RowMark = []
    var cells: [Value]
    var isFinal: Bool { !mark.contains(.partial) }
    var description: String { "\(key)@\(start)-\(end)\(synthetic ? "~" : "")\(mark.isEmpty ? "" : "!\(mark.rawValue)")\(cells)" }
}

let candle: [AggregateCall] = [
    AggregateCall(kind: .first, argument: 0, type: .double), AggregateCall(kind: .max, argument: 0, type: .double),
    AggregateCall(kind: .min, argument: 0, type: .double), AggregateCall(kind: .last, argument: 0, type: .double),
    AggregateCall(kind: .sum, argument: 0, type: .double), AggregateCall(kind: .mean, argument: 0, type: .double),
    AggregateCall(kind: .count, argument: nil, type: .int),
]

/// Runs happenings through windows in batches of `size`, offsets counting up.
func run<Windows: KeyedWindows>(
    _ happenings: [Happening], _ windows: inout Windows, batches size: Int = .max, from first: Int = 0
) -> (rows: [Row], late: [(index: Int, lateBy: Int64, start: Int64)]) {
    var rows: [Row] = [], late: [(Int, Int64, Int64)] = []
    var start = 0
    while start < happenings.count {
        let batch = happenings[start..<min(happenings.count, size == .max ? happenings.count : start + size)]
        windows.growKeys(to: (batch.map(\.key).max() ?? 0) + 1)
        let events = batch.filter { $0.kind == .event }
        var row = 0
        let steps = batch.enumerated().map { index, happening in
            let offset = Int64(first + start + index)
            switch happening.kind {
            case .event:
                defer { row += 1 }
                return WindowStep(.event(row: row), key: happening.key, time: happening.time, offset: offset)
            case .idle: return WindowStep(.idle, key: happening.key, time: happening.time, offset: offset)
            case .end: return WindowStep(.end, key: happening.key, time: happening.time, offset: offset)
            }
        }
        let closed = windows.process(steps, arguments: [Column("x", doubles: events.map(\.value))])
        for index in 0..<closed.count {
            rows.append(
                Row(
                    key: closed.keys[index], start: closed.starts[index], end: closed.ends[index], synthetic: closed.synthetic[index],
                    mark: closed.marks?[index] ?? [], cells: closed.results.map { $0[index] }))
        }
        late += closed.late.map { (first + start + $0.step, $0.lateBy, $0.windowStart) }
        start += batch.count
    }
    return (rows, late)
}

@Suite struct WindowedAggregationTests {
    private func aggregation(
        length: Int64 = 1_000, grace: Int64 = 0, fill: Bool = false, maxGap: Int64 = 100_000, calls: [AggregateCall] = candle
    ) throws -> WindowedAggregation {
        let shape = try WindowShape(length: length, grace: grace, gaps: fill ? .forward : .none, maxGap: maxGap)
        return WindowedAggregation(shape: shape, calls: calls, argumentTypes: [.double])
    }

    @Test(arguments: [(0, 0), (999, 0), (1_000, 1_000), (-1, -1_000), (-1_000, -1_000), (-1_001, -2_000)] as [(Int64, Int64)])
    func `an event falls in the window that contains its time`(time: Int64, start: Int64) throws {
        var windows = try aggregation()
        let (rows, _) = run([Happening(key: 0, time: time), Happening(kind: .end, key: 0, time: time)], &windows)
        #expect(rows.map(\.start) == [start])
    }

    @Test func `a window closes exactly when its key's time reaches end plus grace`() throws {
        var windows = try aggregation(grace: 500)
        #expect(run([Happening(key: 0, time: 10), Happening(key: 0, time: 1_499)], &windows).rows.isEmpty)
        #expect(run([Happening(key: 0, time: 1_500)], &windows).rows.map(\.start) == [0])
    }

    @Test func `an event is late exactly when its window has closed`() throws {
        var windows = try aggregation(grace: 500)
        let (_, late) = run(
            [Happening(key: 0, time: 1_499), Happening(key: 0, time: 999), Happening(key: 0, time: 1_500), Happening(key: 0, time: 999)],
            &windows)
        #expect(late.map(\.index) == [3])
        #expect(late.map(\.lateBy) == [1])
    }

    @Test(arguments: [(1_499, 0), (1_500, 1)] as [(Int64, Int)])
    func `an event is late for a window that never opened as it is for one that closed`(reached: Int64, count: Int) throws {
        var windows = try aggregation(grace: 500)
        let (_, late) = run([Happening(key: 0, time: reached), Happening(key: 0, time: 999)], &windows)
        #expect(late.count == count)
    }

    @Test func `one key's time never closes another key's window`() throws {
        var windows = try aggregation()
        let (rows, late) = run(
            [Happening(key: 0, time: 10), Happening(key: 1, time: 50_000), Happening(key: 0, time: 20)], &windows)
        #expect(rows.isEmpty && late.isEmpty)
    }

    @Test func `first and last go by event time, then by offset, not by arrival`() throws {
        var windows = try aggregation()
        let (rows, _) = run(
            [
                Happening(key: 0, time: 500, value: 5), Happening(key: 0, time: 100, value: 1), Happening(key: 0, time: 900, value: 9),
                Happening(key: 0, time: 100, value: 2), Happening(key: 0, time: 900, value: 8), Happening(kind: .end, key: 0, time: 900),
            ], &windows)
        #expect(
            rows.map(\.cells) == [[.double(1), .double(9), .double(1), .double(8), .double(25), .double(5), .int(5)]])
    }

    @Test func `aggregates skip nulls, an all-null window gives nulls, and count counts rows`() throws {
        var windows = try aggregation()
        let (rows, _) = run(
            [
                Happening(key: 0, time: 0, value: nil), Happening(key: 0, time: 1, value: 4), Happening(key: 0, time: 1_000, value: nil),
                Happening(kind: .end, key: 0, time: 1_000),
            ], &windows)
        #expect(rows[0].cells == [.double(4), .double(4), .double(4), .double(4), .double(4), .double(4), .int(2)])
        #expect(rows[1].cells == [.null, .null, .null, .null, .null, .null, .int(1)])
    }

    @Test func `silent windows become flat rows that carry the last value on`() throws {
        var windows = try aggregation(fill: true)
        let (rows, _) = run(
            [Happening(key: 0, time: 100, value: 7), Happening(key: 0, time: 200, value: 5), Happening(key: 0, time: 3_100)], &windows)
        #expect(rows.map(\.start) == [0, 1_000, 2_000])
        #expect(rows.map(\.synthetic) == [false, true, true])
        let flat: [Value] = [.double(5), .double(5), .double(5), .double(5), .double(0), .double(5), .int(0)]
        #expect(rows[1].cells == flat && rows[2].cells == flat)
    }

    @Test(arguments: [(2_000, [0, 1_000, 2_000, 9_000]), (1_999, [0, 1_000, 9_000]), (0, [0, 9_000])] as [(Int64, [Int64])])
    func `a silence longer than the longest gap is not filled beyond it`(maxGap: Int64, starts: [Int64]) throws {
        var windows = try aggregation(fill: true, maxGap: maxGap)
        let (rows, _) = run([Happening(key: 0, time: 0), Happening(key: 0, time: 9_000), Happening(key: 0, time: 10_000)], &windows)
        #expect(rows.map(\.start) == starts)
    }

    @Test func `an idle tick closes and fills as an event of its time would, and invents nothing for a silent key`() throws {
        var windows = try aggregation(fill: true)
        let (rows, _) = run(
            [Happening(kind: .idle, key: 1, time: 9_999), Happening(key: 0, time: 10), Happening(kind: .idle, key: 0, time: 2_000)],
            &windows)
        #expect(rows.map(\.start) == [0, 1_000])
        #expect(rows.allSatisfy { $0.key == 0 })
    }

    @Test func `the end of the input closes every window and fills only between them`() throws {
        var windows = try aggregation(grace: 5_000, fill: true)
        let (rows, _) = run(
            [Happening(key: 0, time: 3_500), Happening(key: 0, time: 500), Happening(kind: .end, key: 0, time: 3_500)], &windows)
        #expect(rows.map(\.start) == [0, 1_000, 2_000, 3_000])
        let (_, late) = run([Happening(key: 0, time: 3_600)], &windows)
        #expect(late.count == 1)
    }

    @Test func `a jump of the clock fills no more than the longest gap`() throws {
        var windows = try aggregation(length: 1, fill: true, maxGap: 1_000)
        let (rows, _) = run(
            [
                Happening(key: 0, time: 0), Happening(key: 0, time: EventTime.range.upperBound),
                Happening(key: 0, time: EventTime.range.lowerBound),
            ],
            &windows)
        #expect(rows.count == 1_001)
    }

    @Test func `an integer sum that leaves 64 bits is null and counted`() throws {
        let shape = try WindowShape(length: 1_000, grace: 0, gaps: .none)
        var windows = WindowedAggregation(
            shape: shape, calls: [AggregateCall(kind: .sum, argument: 0, type: .int)], argumentTypes: [.int])
        windows.growKeys(to: 1)
        let steps = [
            WindowStep(.event(row: 0), key: 0, time: 0, offset: 0), WindowStep(.event(row: 1), key: 0, time: 1, offset: 1),
            WindowStep(.end, key: 0, time: 1, offset: 2),
        ]
        let closed = windows.process(steps, arguments: [Column("n", ints: [.max, 1])])
        #expect(closed.results[0][0] == .null)
        #expect(windows.overflows == 1)
    }

    @Test(arguments: [(0, 0), (-1, 0), (WindowShape.limit + 1, 0)] as [(Int64, Int64)])
    func `a window length must be positive and sane`(length: Int64, grace: Int64) {
        #expect(throws: WindowShape.Error.invalidLength(length)) {
            try WindowShape(length: length, grace: grace, gaps: .none)
        }
    }
}
