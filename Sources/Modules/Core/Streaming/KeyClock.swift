package import Domain

/// What one key knows about time: how far it has come, and which of its windows are open.
struct KeyClock: Sendable, Equatable {
    struct Open: Sendable, Equatable {
        let start: EventTime.Milliseconds
        /// Where the window's values are in the lanes.
        var slot: Int
    }

    /// The greatest event time seen, ticks included. Never moves back.
    private(set) var latest: EventTime.Milliseconds?
    /// End of the newest window that has closed; windows that start before it never open again.
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

    /// How late an event would be for its window, or `nil` when the window still takes it.
    func lateness(of time: EventTime.Milliseconds, start: EventTime.Milliseconds, _ shape: WindowShape) -> Int64? {
        guard let latest else { return nil }
        let isBehind = start + shape.length + shape.grace <= latest || start < closedThrough ?? .min
        return isBehind ? max(0, latest - shape.grace - time) : nil
    }

    /// The slot of the window that starts at `start`; `make` provides one when the window opens.
    mutating func slot(at start: EventTime.Milliseconds, make: () -> Int) -> Int {
        if let last = open.last, last.start == start { return last.slot }
        let position = open.firstIndex { $0.start >= start } ?? open.count
        if position < open.count, open[position].start == start { return open[position].slot }
        let slot = make()
        open.insert(Open(start: start, slot: slot), at: position)
        return slot
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
        closedThrough = first.start + shape.length
        silentSince = closedThrough
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
            start += shape.length
            closedThrough = start
        }
    }

    func encode(into writer: inout BinaryWriter, _ values: (Int, inout BinaryWriter) -> Void) {
        for time in [latest, closedThrough, silentSince] {
            writer.write(time != nil)
            writer.write(time ?? 0)
        }
        writer.write(count: open.count)
        for window in open {
            writer.write(window.start)
            values(window.slot, &writer)
        }
    }

    init(
        from reader: inout BinaryReader, values: (inout BinaryReader) throws(BinaryReader.Damaged) -> Int
    ) throws(BinaryReader.Damaged) {
        func time(_ reader: inout BinaryReader) throws(BinaryReader.Damaged) -> EventTime.Milliseconds? {
            let isPresent = try reader.readBool()
            let value = try reader.readInt()
            return isPresent ? value : nil
        }
        latest = try time(&reader)
        closedThrough = try time(&reader)
        silentSince = try time(&reader)
        for _ in 0..<(try reader.readCount()) {
            let start = try reader.readInt()
            open.append(Open(start: start, slot: try values(&reader)))
        }
    }
}

/// Epoch-aligned tumbling windows: their length, their patience and what they do about silence. All in milliseconds.
package struct WindowShape: Sendable, Hashable {
    package let length: EventTime.Milliseconds
    package let grace: EventTime.Milliseconds
    package let fillsGaps: Bool
    package let maxGap: EventTime.Milliseconds

    package enum Error: Swift.Error, Equatable {
        /// The length was not positive, or longer than 366 days.
        case invalidLength(EventTime.Milliseconds)
        /// The grace was negative, or longer than 366 days.
        case invalidGrace(EventTime.Milliseconds)
        /// The longest gap was negative, or would be filled with more than a million rows.
        case invalidMaxGap(EventTime.Milliseconds)
    }

    /// The longest window and grace: leaves room for every addition to a valid event time.
    package static var limit: EventTime.Milliseconds { 366 * 86_400_000 }

    package init(
        length: EventTime.Milliseconds, grace: EventTime.Milliseconds, fillsGaps: Bool, maxGap: EventTime.Milliseconds
    ) throws(Error) {
        guard length > 0, length <= Self.limit else { throw .invalidLength(length) }
        guard grace >= 0, grace <= Self.limit else { throw .invalidGrace(grace) }
        guard maxGap >= 0, maxGap / length <= 1_000_000 else { throw .invalidMaxGap(maxGap) }
        self.length = length
        self.grace = grace
        self.fillsGaps = fillsGaps
        self.maxGap = maxGap
    }

    /// The start of the window that contains `time`; floors, also before 1970.
    package func start(of time: EventTime.Milliseconds) -> EventTime.Milliseconds {
        time.flooredQuotient(by: length) * length
    }
}
