import Domain

/// The rows of a view by entity, each entity's in order of time.
struct EntityHistory {
    /// Row numbers: entity after entity, and inside each by time, creation and place in the view.
    private let rows: [Int32]
    /// Where each entity's rows begin in `rows`; one more than there are entities.
    private let starts: [Int32]
    /// In the order of `rows`.
    private let times: [EventTime.Milliseconds]
    private let created: [EventTime.Milliseconds]
    /// The least of `created` in each block of rows; empty when there is no such column.
    private let leastCreated: [EventTime.Milliseconds]

    private static var block: Int { 64 }

    /// - Parameter entities: Per row, below `count`; a negative one's row is left out, and so is one without a time.
    init(entities: [Int32], count: Int, times: RowTimes, created: RowTimes?) {
        let entities = times.nulls.map { nulls in zip(entities, nulls).map { $1 ? -1 : $0 } } ?? entities
        var starts = [Int32](repeating: 0, count: count + 1)
        for entity in entities where entity >= 0 { starts[Int(entity) + 1] += 1 }
        for entity in 0..<count { starts[entity + 1] += starts[entity] }
        var next = starts, order = [Int32](repeating: 0, count: Int(starts[count]))
        for (row, entity) in entities.enumerated() where entity >= 0 {
            order[Int(next[Int(entity)])] = Int32(row)
            next[Int(entity)] += 1
        }
        let known = created.map { Self.filled($0) } ?? []
        func isBefore(_ a: Int32, _ b: Int32) -> Bool {
            let (left, right) = (times.values[Int(a)], times.values[Int(b)])
            if left != right { return left < right }
            if !known.isEmpty {
                let (left, right) = (known[Int(a)], known[Int(b)])
                // A row that does not say when it was created gives way to one that does.
                if left != right { return left == .max || (right != .max && left < right) }
            }
            return a < b
        }
        for entity in 0..<count {
            let range = Int(starts[entity])..<Int(starts[entity + 1])
            // Histories mostly come in order of time already.
            var isOrdered = true
            for place in range.dropFirst() where !isBefore(order[place - 1], order[place]) {
                isOrdered = false
                break
            }
            if !isOrdered { order[range].sort(by: isBefore) }
        }
        rows = order
        self.starts = starts
        self.times = order.map { times.values[Int($0)] }
        self.created = known.isEmpty ? [] : order.map { known[Int($0)] }
        leastCreated = Self.leasts(self.created)
    }

    /// A missing time of creation is later than any spine row.
    private static func filled(_ created: RowTimes) -> [EventTime.Milliseconds] {
        created.nulls.map { nulls in zip(created.values, nulls).map { $1 ? .max : $0 } } ?? created.values
    }

    private static func leasts(_ created: [EventTime.Milliseconds]) -> [EventTime.Milliseconds] {
        stride(from: 0, to: created.count, by: block).map { first in
            created[first..<min(first + block, created.count)].min() ?? .max
        }
    }

    /// For each of the spine's rows the number of the row that it meets, or -1.
    func matches(_ entities: [Int32], _ spine: RowTimes, ttl: EventTime.Milliseconds, knowledgeTime: Bool) -> [Int32] {
        var found = [Int32](repeating: -1, count: entities.count)
        for (row, entity) in entities.enumerated() where entity >= 0 {
            if let nulls = spine.nulls, nulls[row] { continue }
            let time = spine.values[row], first = Int(starts[Int(entity)])
            var place = lastPlace(notAfter: time, from: first, to: Int(starts[Int(entity) + 1]))
            if knowledgeTime { place = lastKnown(by: time, from: first, at: place) }
            guard place >= first else { continue }
            // Times of strangers may be so far apart that their difference is no number.
            let (age, overflow) = time.subtractingReportingOverflow(times[place])
            if ttl > 0, overflow || age > ttl { continue }
            found[row] = rows[place]
        }
        return found
    }

    /// The last place whose time is not after `time`; `first - 1` for none.
    private func lastPlace(notAfter time: EventTime.Milliseconds, from first: Int, to end: Int) -> Int {
        var low = first, high = end
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }

    /// The last place up to `last` whose row was created by `time`; `first - 1` for none.
    private func lastKnown(by time: EventTime.Milliseconds, from first: Int, at last: Int) -> Int {
        var place = last
        while place >= first {
            if created[place] <= time { return place }
            let block = place / Self.block
            // A whole block of rows that were created later is passed at once.
            place = leastCreated[block] > time ? block * Self.block - 1 : place - 1
        }
        return first - 1
    }
}
