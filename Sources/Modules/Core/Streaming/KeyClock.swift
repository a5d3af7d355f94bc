import Domain

/// What one key knows about time: how far it has come, and which of its aligned windows are open.
struct KeyClock: Sendable, Equatable {
    struct Open: Sendable, Equatable {
        let start: EventTime.Milliseconds
        /// Where the window's values are in the lanes.
        var slot: Int
    }

    /// The greatest event time seen, ticks included. Never moves back.
    private(set) var latest: EventTime.Milliseconds?
    /// Start of the window after the newest one that has closed; windows that start before it never open again.
    private(set) var closedThrough: EventTime.Milliseconds?
    /// End of the newest closed window that held an event: where the present silence began.
    private(set) var silentSince: EventTime.Milliseconds?
    /// Ascending start.
    private(set) var open: [Open] = []

    init() {}

    /// Moves time forward; an older time is ignored.
    mutating func advance(to time: EventTime.Milliseconds) {
        latest = max(latest ?? time, time)
    }

    /// Whether the window that starts at `start` takes no more events.
    func isClosed(_ start: EventTime.Milliseconds, _ shape: WindowShape) -> Bool {
        guard let latest else { return false }
        return start + shape.length + shape.grace <= latest || start < closedThrough ?? .min
    }

    /// Whether a window may still be filled once time has moved on.
    func isFilling(_ shape: WindowShape) -> Bool {
        guard shape.fillsGaps, let closedThrough, let silentSince else { return false }
        return closedThrough + shape.length - silentSince <= shape.maxGap
    }

    /// The slot of the window that starts at `start`; `make` provides one when the window opens.
    mutating func slot(at start: EventTime.Milliseconds, make: () -> Int) -> Int {
        if let last = open.last, last.start == start { return last.slot }
        let position = position(of: start)
        if position < open.count, open[position].start == start { return open[position].slot }
        let slot = make()
        open.insert(Open(start: start, slot: slot), at: position)
        return slot
    }

    /// The first open window that does not start before `start`.
    private func position(of start: EventTime.Milliseconds) -> Int {
        var low = 0, high = open.count
        while low < high {
            let middle = (low + high) / 2
            if open[middle].start < start { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Closes what is due, oldest first, silent windows in between included.
    /// - Parameter close: Receives each window's start and slot; the slot is `nil` for a silent one.
    mutating func closeDue(_ shape: WindowShape, close: (EventTime.Milliseconds, Int?) -> Void) {
        guard let latest else { return }
        while let first = open.first, first.start + shape.length + shape.grace <= latest { closeFirst(shape, close) }
        guard shape.fillsGaps else { return }
        fill(before: open.first?.start ?? .max, dueBy: latest, shape, close)
    }

    /// The input of the key has ended: closes every open window and invents none after them.
    mutating func closeAll(_ shape: WindowShape, close: (EventTime.Milliseconds, Int?) -> Void) {
        while !open.isEmpty { closeFirst(shape, close) }
    }

    private mutating func closeFirst(_ shape: WindowShape, _ close: (EventTime.Milliseconds, Int?) -> Void) {
        let first = open.removeFirst()
        if shape.fillsGaps { fill(before: first.start, dueBy: .max, shape, close) }
        close(first.start, first.slot)
        closedThrough = first.start + shape.step
        silentSince = first.start + shape.length
    }

    /// Emits the silent windows from the newest closed one up to `bound`, as far as they are due and the silence has not
    /// lasted longer than the shape allows.
    private mutating func fill(
        before bound: EventTime.Milliseconds, dueBy latest: EventTime.Milliseconds, _ shape: WindowShape,
        _ close: (EventTime.Milliseconds, Int?) -> Void
    ) {
        guard var start = closedThrough, let silentSince else { return }
        while start < bound, start + shape.length - silentSince <= shape.maxGap,
            latest == .max || start + shape.length + shape.grace <= latest
        {
            close(start, nil)
            start += shape.step
            closedThrough = start
        }
    }

    func encode(into writer: inout BinaryWriter, _ values: (Int, inout BinaryWriter) -> Void) {
        for time in [latest, closedThrough, silentSince] { writer.write(time: time) }
        writer.write(count: open.count)
        for window in open {
            writer.write(window.start)
            values(window.slot, &writer)
        }
    }

    init(
        from reader: inout BinaryReader, values: (inout BinaryReader) throws(BinaryReader.Damaged) -> Int
    ) throws(BinaryReader.Damaged) {
        latest = try reader.readTime()
        closedThrough = try reader.readTime()
        silentSince = try reader.readTime()
        for _ in 0..<(try reader.readCount()) {
            let start = try reader.readInt()
            open.append(Open(start: start, slot: try values(&reader)))
        }
    }
}

extension BinaryWriter {
    mutating func write(time: EventTime.Milliseconds?) {
        write(time != nil)
        write(time ?? 0)
    }
}

extension BinaryReader {
    mutating func readTime() throws(Damaged) -> EventTime.Milliseconds? {
        let isPresent = try readBool(), time = try readInt()
        return isPresent ? time : nil
    }
}
