import Domain
import Expressions
import Table
import Testing

@testable import Streaming

/// Every kind of window: recounted by brute force, and the same however it is cut, interrupted and resumed.
@Suite struct WindowKindReplayTests {
    static let rules: [WindowRule] = {
        let shapes = [
            try? WindowShape(length: 1_000, grace: 700), try? WindowShape(length: 1_000, step: 250, grace: 0),
            try? WindowShape(length: 1_000, step: 300, grace: 900),
        ]
        return shapes.compactMap { $0.map(WindowRule.aligned) } + [
            .sliding(length: 1_500, grace: 0), .sliding(length: 400, grace: 1_200), .session(gap: 250, grace: 0),
            .session(gap: 200, grace: 1_500), .count(10, step: 10), .count(8, step: 3),
        ]
    }()

    /// Out of order by up to 2 s around zero, silences, ticks, and an end in the middle after which some keys go on.
    private func happenings(seed: UInt64, count: Int = 1_500) -> [Happening] {
        var random = RandomSource(seed: seed)
        var clocks = [Int64](repeating: -20_000, count: 5)
        var all: [Happening] = []
        for index in 0..<count {
            let key = random.index(below: clocks.count)
            clocks[key] += Int64(random.index(below: random.index(below: 25) == 0 ? 9_000 : 250))
            let isIdle = random.index(below: 40) == 0
            let value = random.index(below: 9) == 0 ? nil : random.uniform() - 0.5
            let time = isIdle ? clocks[key] : clocks[key] - Int64(random.index(below: 2_000))
            all.append(Happening(kind: isIdle ? .idle : .event, key: key, time: time, value: value))
            if index == count / 2 { all += (0..<3).map { Happening(kind: .end, key: $0, time: clocks[$0]) } }
        }
        return all + (0..<clocks.count).map { Happening(kind: .end, key: $0, time: clocks[$0]) }
    }

    private func windows(_ rule: WindowRule, current: Bool = false) -> any KeyedWindows {
        rule.windows(emitsCurrent: current, calls: candle, argumentTypes: [.double])
    }

    @Test(arguments: rules, [UInt64(1), 2, 3])
    func `rows and late events equal a recount by brute force`(rule: WindowRule, seed: UInt64) {
        let happenings = happenings(seed: seed)
        var windows = windows(rule)
        let (rows, late) = run(happenings, &windows)
        let expected = WindowOracle.run(rule, happenings)
        #expect(expected.rows.count > 50)
        #expect(late.map(\.index).sorted() == expected.late)
        if case .count = rule {} else { #expect(!expected.late.isEmpty) }
        #expect(rows.map { [Int64($0.key), $0.start, $0.end] } == expected.rows.map { [Int64($0.key), $0.start, $0.end] })
        for (row, expected) in zip(rows, expected.rows) {
            let events = expected.members.map { (happenings[$0].time, $0, happenings[$0].value) }.filter { $0.2 != nil }
            let byTime = events.sorted { ($0.0, $0.1) < ($1.0, $1.1) }, values = events.compactMap(\.2)
            #expect(row.cells[0] == byTime.first?.2.map(Value.double) ?? .null)
            #expect(row.cells[1] == values.max().map(Value.double) ?? .null)
            #expect(row.cells[2] == values.min().map(Value.double) ?? .null)
            #expect(row.cells[3] == byTime.last?.2.map(Value.double) ?? .null)
            #expect(abs((row.cells[4].number ?? 0) - values.reduce(0, +)) < 1e-9 && row.cells[4].isNull == values.isEmpty)
            #expect(row.cells[6] == .int(Int64(expected.members.count)))
        }
    }

    @Test(arguments: rules, [false, true])
    func `random batches, killed and restored at random places, give the same bits`(rule: WindowRule, current: Bool) throws {
        let happenings = happenings(seed: 11)
        var whole = windows(rule, current: current)
        let expected = run(happenings, &whole)
        #expect(current == expected.rows.contains { !$0.isFinal })

        var random = RandomSource(seed: 5), at = 0
        var rows: [Row] = [], late: [Int] = []
        var present = windows(rule, current: current)
        while at < happenings.count {
            let next = min(happenings.count, at + 1 + random.index(below: 120))
            let part = run(Array(happenings[at..<next]), &present, batches: 1 + random.index(below: 50), from: at)
            rows += part.rows
            late += part.late.map(\.index)
            at = next
            guard random.index(below: 2) == 0 else { continue }
            present = try restored(present, rule, current)
        }
        #expect(rows == expected.rows)
        #expect(late == expected.late.map(\.index))
    }

    private func restored(_ windows: any KeyedWindows, _ rule: WindowRule, _ current: Bool) throws -> any KeyedWindows {
        var windows = windows
        windows.growKeys(to: 5)
        var other = self.windows(rule, current: current)
        if let shared = windows.encodeShared() { try other.decodeShared(shared) }
        for key in (0..<5).reversed() {
            var writer = BinaryWriter()
            windows.encodeKey(key, into: &writer)
            var reader = BinaryReader(writer.bytes)
            try other.decodeKey(key, from: &reader)
            #expect(reader.isAtEnd)
        }
        return other
    }

    @Test(arguments: rules)
    func `asking for present rows changes no final one`(rule: WindowRule) {
        let happenings = happenings(seed: 4)
        var final = windows(rule), current = windows(rule, current: true)
        let expected = run(happenings, &final), found = run(happenings, &current)
        let finals = found.rows.filter(\.isFinal)
        #expect(finals.map(\.cells) == expected.rows.map(\.cells) && finals.map(\.start) == expected.rows.map(\.start))
        #expect(found.late.map(\.index) == expected.late.map(\.index))
    }

    @Test(arguments: rules)
    func `a final row repeats the last present row of its window`(rule: WindowRule) {
        let happenings = happenings(seed: 6)
        var windows = windows(rule, current: true)
        var present: [String: [Value]] = [:], compared = 0
        for row in run(happenings, &windows).rows {
            let name = "\(row.key) \(row.start)"
            if row.mark.contains(.removed) {
                #expect(present.removeValue(forKey: name) != nil)
            } else if !row.isFinal {
                present[name] = row.cells
            } else if let last = present.removeValue(forKey: name), rule.isTimed {
                // An event that an open window takes may come after the row of a window that contains it too.
                #expect(last == row.cells)
                compared += 1
            }
        }
        #expect(!rule.isTimed || compared > 50)
    }

    @Test(arguments: [WindowShape.Gaps.none, .forward, .null], [1_000, 250] as [Int64])
    func `closing by partition is the same wherever it is cut and restored`(gaps: WindowShape.Gaps, step: Int64) throws {
        let shape = try WindowShape(length: 1_000, step: step, grace: 300, gaps: gaps, maxGap: 4_000, closing: .partition)
        let happenings = happenings(seed: 8)
        var whole = windows(.aligned(shape))
        let expected = run(happenings, &whole)
        #expect(expected.rows.contains(where: \.synthetic) == (gaps != .none) && !expected.late.isEmpty)
        var random = RandomSource(seed: 2), at = 0, rows: [Row] = [], present = windows(.aligned(shape))
        while at < happenings.count {
            let next = min(happenings.count, at + 1 + random.index(below: 90))
            rows += run(Array(happenings[at..<next]), &present, batches: 1 + random.index(below: 40), from: at).rows
            at = next
            present = try restored(present, .aligned(shape), false)
        }
        #expect(rows == expected.rows)
        // Nothing is lost: what is in no row was late.
        if step == 1_000 {
            let counted = expected.rows.reduce(Int64(0)) { sum, row in if case .int(let n) = row.cells[6] { sum + n } else { sum } }
            #expect(Int(counted) + expected.late.count == happenings.count { $0.kind == .event })
        }
    }
}

extension WindowRule {
    fileprivate var isTimed: Bool {
        switch self {
        case .aligned, .session: true
        case .sliding, .count: false
        }
    }
}
