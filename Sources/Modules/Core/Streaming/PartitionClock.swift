import Domain

/// The time of all keys of a partition together, for windows that close by it.
///
/// Windows are looked for only when time has passed the end of another one: a step costs O(1), a passed end
/// O(keys with something open).
struct PartitionClock: Sendable, Equatable {
    /// The greatest event time seen of any key, ticks included.
    private(set) var latest: EventTime.Milliseconds?
    /// End of the newest window that has closed and held an event. Lateness is told from there, as quixstreams does when
    /// it closes by partition.
    private(set) var closedEnd: EventTime.Milliseconds?
    /// The newest start whose windows have been closed.
    private var closedStart: EventTime.Milliseconds?
    /// Keys with an open window, or with silent ones still to come.
    private var active: Set<Int> = []

    /// Moves time forward.
    /// - Returns: Whether the end of a window was passed.
    mutating func advance(to time: EventTime.Milliseconds, _ shape: WindowShape) -> Bool {
        let now = max(latest ?? time, time)
        latest = now
        let due = (now - shape.grace - shape.length).flooredQuotient(by: shape.step) * shape.step
        if let closedStart, due <= closedStart { return false }
        closedStart = due
        return true
    }

    var activeKeys: [Int] { active.sorted() }

    mutating func noteOpen(_ key: Int) { active.insert(key) }
    mutating func noteDone(_ key: Int) { active.remove(key) }
    mutating func noteClosed(end: EventTime.Milliseconds) { closedEnd = max(closedEnd ?? end, end) }

    func encode(into writer: inout BinaryWriter) {
        for time in [latest, closedEnd, closedStart] { writer.write(time: time) }
    }

    /// Puts the times back; which keys are active follows from the keys.
    mutating func decode(from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        latest = try reader.readTime()
        closedEnd = try reader.readTime()
        closedStart = try reader.readTime()
    }
}
