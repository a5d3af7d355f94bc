import Domain
import EventLog

/// The latest event time of every key a producer has sent, and which keys have fallen silent.
package struct KeyTimes: Sendable {
    private struct Entry {
        var time: EventTime.Milliseconds
        var sentAt: Duration
    }

    private var entries: [[UInt8]: Entry] = [:]
    /// Keys whose times have changed since they were last taken to be remembered.
    private var unsaved: Set<[UInt8]> = []

    /// Of the state in which times are remembered; the key follows, base 16.
    private static let stateKey = "key/"

    private let remembers: Bool

    /// - Parameter remembers: Whether ``takeChanges()`` will be asked for.
    package init(remembers: Bool = false) { self.remembers = remembers }

    /// What an earlier run has remembered; its keys are silent from now on.
    init(saved: [String: [UInt8]], now: Duration) {
        remembers = true
        for (name, value) in saved where name.hasPrefix(Self.stateKey) {
            let digits = Array(name.utf8.dropFirst(Self.stateKey.utf8.count))
            let bytes = stride(from: 0, to: digits.count - digits.count % 2, by: 2).compactMap {
                UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
            }
            guard let time = Int64(String(decoding: value, as: UTF8.self)) else { continue }
            entries[bytes] = Entry(time: time, sentAt: now)
        }
    }

    /// What has changed since the last call, to be remembered with what was sent.
    mutating func takeChanges() -> [LogUnit.StateChange] {
        defer { unsaved = [] }
        return unsaved.sorted { $0.lexicographicallyPrecedes($1) }.compactMap { key in
            guard let time = entries[key]?.time else { return nil }
            let digits = key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            return LogUnit.StateChange(key: Array((Self.stateKey + digits).utf8), value: Array(String(time).utf8))
        }
    }

    /// Takes over what another has noted.
    mutating func merge(_ other: KeyTimes) {
        entries.merge(other.entries) { Entry(time: max($0.time, $1.time), sentAt: max($0.sentAt, $1.sentAt)) }
    }

    /// - Parameters:
    ///   - now: By the monotonic clock.
    ///   - latest: A later time is a mistake that the stream will refuse: it must not move the key's time.
    mutating func note(_ key: [UInt8]?, _ time: EventTime.Milliseconds, now: Duration, latest: EventTime.Milliseconds) {
        guard let key, time <= latest, EventTime.range.contains(time) else { return }
        let known = entries[key]?.time
        entries[key] = Entry(time: max(known ?? time, time), sentAt: now)
        if remembers, known.map({ $0 < time }) ?? true { unsaved.insert(key) }
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
            if remembers { unsaved.insert(key) }
            ticks.append(Self.tick(.idle, key, time))
        }
        return ticks.sorted { ($0.key ?? []).lexicographicallyPrecedes($1.key ?? []) }
    }

    private static func tick(_ kind: Tick, _ key: [UInt8], _ time: EventTime.Milliseconds) -> Record {
        Record(key: key, value: nil, timestamp: time, headers: [Record.Header(HeaderName.tick, kind.rawValue)])
    }
}
