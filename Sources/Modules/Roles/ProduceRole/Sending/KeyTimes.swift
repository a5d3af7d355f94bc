import Domain

/// The latest event time of every key a producer has sent, and which keys have fallen silent.
package struct KeyTimes: Sendable {
    private struct Entry {
        var time: EventTime.Milliseconds
        var sentAt: Duration
    }

    private var entries: [[UInt8]: Entry] = [:]

    package init() {}

    /// Takes over what another has noted.
    mutating func merge(_ other: KeyTimes) {
        entries.merge(other.entries) { Entry(time: max($0.time, $1.time), sentAt: max($0.sentAt, $1.sentAt)) }
    }

    /// - Parameters:
    ///   - now: By the monotonic clock.
    ///   - latest: A later time is a mistake that the stream will refuse: it must not move the key's time.
    mutating func note(_ key: [UInt8]?, _ time: EventTime.Milliseconds, now: Duration, latest: EventTime.Milliseconds) {
        guard let key, time <= latest, EventTime.range.contains(time) else { return }
        entries[key] = Entry(time: max(entries[key]?.time ?? time, time), sentAt: now)
    }

    /// Counts silence anew: nothing could be heard up to now.
    mutating func restart(now: Duration) {
        for key in entries.keys { entries[key]?.sentAt = now }
    }

    /// One tick per key: its finite input has ended. In key order, so that two runs write the same bytes.
    func endTicks() -> [Record] {
        entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { Self.tick(.end, $0.key, $0.value.time) }
    }

    /// Ticks for the keys that have been silent for `patience`: their time has passed as the clock has.
    mutating func idleTicks(now: Duration, patience: Duration) -> [Record] {
        var ticks: [Record] = []
        for (key, entry) in entries where now - entry.sentAt >= patience {
            let silence = now - entry.sentAt
            let (seconds, attoseconds) = silence.components
            let time = entry.time + seconds * 1_000 + attoseconds / 1_000_000_000_000_000
            entries[key] = Entry(time: time, sentAt: now)
            ticks.append(Self.tick(.idle, key, time))
        }
        return ticks.sorted { ($0.key ?? []).lexicographicallyPrecedes($1.key ?? []) }
    }

    private static func tick(_ kind: Tick, _ key: [UInt8], _ time: EventTime.Milliseconds) -> Record {
        Record(key: key, value: nil, timestamp: time, headers: [Record.Header(HeaderName.tick, kind.rawValue)])
    }
}
