import Domain

@testable import Streaming

/// Windows by brute force: every event is kept and every row recounted from a list.
enum WindowOracle {
    struct Event { let index: Int, time: Int64, value: Double? }
    struct Expected: Equatable {
        let key: Int, start: Int64, end: Int64
        /// Indices of the events, in order of arrival.
        let members: [Int]
    }
    struct Outcome { var rows: [Expected] = [], late: [Int] = [] }

    static func run(_ rule: WindowRule, _ happenings: [Happening]) -> Outcome {
        var outcome = Outcome()
        // Per key, so that nothing can leak from one to another; rows are put back in order of the step that gave them.
        var rows: [(step: Int, row: Expected)] = []
        for key in Set(happenings.map(\.key)).sorted() {
            let own = happenings.indices.filter { happenings[$0].key == key }.map { ($0, happenings[$0]) }
            let (found, late) =
                switch rule {
                case .aligned(let shape): aligned(shape, key, own)
                case .sliding(let length, let grace): sliding(length, grace, key, own)
                case .session(let gap, let grace): session(gap, grace, key, own)
                case .count(let count, let step): counted(count, step, key, own)
                }
            rows += found
            outcome.late += late
        }
        outcome.rows = rows.enumerated().sorted { ($0.1.step, $0.0) < ($1.1.step, $1.0) }.map(\.1.row)
        outcome.late.sort()
        return outcome
    }

    private typealias Own = [(Int, Happening)]
    private typealias Found = (rows: [(step: Int, row: Expected)], late: [Int])

    private static func aligned(_ shape: WindowShape, _ key: Int, _ own: Own) -> Found {
        var open: [Int64: [Int]] = [:], closed: Set<Int64> = [], latest = Int64.min, ended = Int64.min, found: Found = ([], [])
        for (index, happening) in own {
            if happening.kind != .end { latest = max(latest, happening.time) }
            let isEnd = happening.kind == .end
            for start in open.keys.sorted() where isEnd || start + shape.length + shape.grace <= latest {
                found.rows.append((index, Expected(key: key, start: start, end: start + shape.length, members: open[start] ?? [])))
                open[start] = nil
                closed.insert(start)
                ended = max(ended, start)
            }
            guard happening.kind == .event else { continue }
            var start = happening.time.flooredQuotient(by: shape.step) * shape.step, starts: [Int64] = []
            while start > happening.time - shape.length {
                let crosses = start < 0 && start + shape.length > 0
                if !crosses { starts.insert(start, at: 0) }
                start -= shape.step
            }
            for start in starts {
                if start + shape.length + shape.grace <= latest || start <= ended {
                    found.late.append(index)
                } else {
                    open[start, default: []].append(index)
                }
            }
        }
        return found
    }

    private static func sliding(_ length: Int64, _ grace: Int64, _ key: Int, _ own: Own) -> Found {
        var accepted: [(index: Int, time: Int64)] = [], emitted: Set<Int64> = [], latest = Int64.min, ended = Int64.min
        var found: Found = ([], [])
        for (index, happening) in own {
            let isEnd = happening.kind == .end
            if !isEnd { latest = max(latest, happening.time) }
            for end in Set(accepted.map(\.time)).sorted() where !emitted.contains(end) && (isEnd || end + grace < latest) {
                let start = end >= 0 ? max(0, end - length) : end - length
                let members = accepted.filter { (start...end).contains($0.time) }.map(\.index)
                found.rows.append((index, Expected(key: key, start: start, end: end, members: members)))
                emitted.insert(end)
                if isEnd { ended = max(ended, end) }
            }
            guard happening.kind == .event else { continue }
            let isOwnClosed = happening.time + grace < latest || happening.time <= ended
            if isOwnClosed { found.late.append(index) }
            if happening.time + length + grace < latest { continue }
            accepted.append((index, happening.time))
            if isOwnClosed { emitted.insert(happening.time) }
        }
        return found
    }

    private static func session(_ gap: Int64, _ grace: Int64, _ key: Int, _ own: Own) -> Found {
        var open: [(start: Int64, end: Int64, members: [Int])] = [], latest = Int64.min, closedEnd = Int64.min, found: Found = ([], [])
        for (index, happening) in own {
            let isEnd = happening.kind == .end
            if !isEnd { latest = max(latest, happening.time) }
            for session in open.sorted(by: { $0.start < $1.start }) where isEnd || session.end + gap + grace < latest {
                let row = Expected(key: key, start: session.start, end: session.end, members: session.members.sorted())
                found.rows.append((index, row))
                closedEnd = max(closedEnd, session.end)
            }
            open.removeAll { isEnd || $0.end + gap + grace < latest }
            guard happening.kind == .event else { continue }
            let joined = open.filter { $0.start - gap <= happening.time && happening.time <= $0.end + gap }
            let end = joined.map(\.end).max().map { max($0, happening.time) } ?? happening.time
            if end + gap + grace < latest || happening.time <= closedEnd {
                found.late.append(index)
                continue
            }
            open.removeAll { session in joined.contains { $0.start == session.start } }
            let start = joined.map(\.start).min().map { min($0, happening.time) } ?? happening.time
            open.append((start, end, joined.flatMap(\.members) + [index]))
        }
        return found
    }

    private static func counted(_ count: Int, _ step: Int, _ key: Int, _ own: Own) -> Found {
        let events = own.filter { $0.1.kind == .event }
        var found: Found = ([], [])
        for first in stride(from: 0, to: events.count, by: step) where first + count <= events.count {
            let members = events[first..<first + count], times = members.map(\.1.time)
            found.rows.append(
                (
                    members[first + count - 1].0,
                    Expected(key: key, start: times.min() ?? 0, end: times.max() ?? 0, members: members.map(\.0))
                ))
        }
        return found
    }
}
