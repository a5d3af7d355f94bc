package import Domain

/// Which events belong together, and until when: one of the kinds of windows. All times in milliseconds.
package enum WindowRule: Sendable, Hashable {
    /// Tumbling and hopping.
    case aligned(WindowShape)
    /// One window per event time that occurs, `[time - length, time]`; both ends belong to it.
    case sliding(length: EventTime.Milliseconds, grace: EventTime.Milliseconds)
    /// Events no further apart than the gap.
    case session(gap: EventTime.Milliseconds, grace: EventTime.Milliseconds)
    /// So many events in order of arrival, a new window every `step` of them.
    case count(Int, step: Int)
}

/// Epoch-aligned windows `[start, start + length)` of event time, one every step: how long they are, their patience, and
/// what they do about silence. All in milliseconds.
package struct WindowShape: Sendable, Hashable {
    package enum Gaps: String, Sendable, CaseIterable {
        /// Silent windows are not rows.
        case none
        /// A silent window becomes a flat row that carries the last value on.
        case forward
        /// A silent window becomes a row of nulls.
        case null
    }

    package enum Closing: String, Sendable, CaseIterable {
        /// By the key's own time: what one key does never touches another.
        case key
        /// By the time of all keys of the partition together.
        case partition
    }

    package let length: EventTime.Milliseconds
    /// From one window's start to the next one's; equal to the length for tumbling windows.
    package let step: EventTime.Milliseconds
    package let grace: EventTime.Milliseconds
    package let gaps: Gaps
    package let maxGap: EventTime.Milliseconds
    package let closing: Closing

    package enum Error: Swift.Error, Equatable {
        /// The length was not positive, or longer than 366 days.
        case invalidLength(EventTime.Milliseconds)
        /// The step was not positive, longer than the length, or so short that an event falls into more than 1,000 windows.
        case invalidStep(EventTime.Milliseconds)
        /// The grace was negative, or longer than 366 days.
        case invalidGrace(EventTime.Milliseconds)
        /// The longest gap was negative, or would be filled with more than a million rows.
        case invalidMaxGap(EventTime.Milliseconds)
    }

    /// The longest window and grace: leaves room for every addition to a valid event time.
    package static var limit: EventTime.Milliseconds { 366 * 86_400_000 }
    /// Windows that one event may fall into.
    package static var maxOverlap: Int64 { 1_000 }

    /// - Parameter step: `nil` for tumbling windows.
    package init(
        length: EventTime.Milliseconds, step: EventTime.Milliseconds? = nil, grace: EventTime.Milliseconds, gaps: Gaps = .none,
        maxGap: EventTime.Milliseconds = 0, closing: Closing = .key
    ) throws(Error) {
        let step = step ?? length
        guard length > 0, length <= Self.limit else { throw .invalidLength(length) }
        guard step > 0, step <= length, (length - 1) / step < Self.maxOverlap else { throw .invalidStep(step) }
        guard grace >= 0, grace <= Self.limit else { throw .invalidGrace(grace) }
        guard maxGap >= 0, maxGap / step <= 1_000_000 else { throw .invalidMaxGap(maxGap) }
        self.length = length
        self.step = step
        self.grace = grace
        self.gaps = gaps
        self.maxGap = maxGap
        self.closing = closing
    }

    var fillsGaps: Bool { gaps != .none }

    /// The starts of the windows that contain `time`, oldest first.
    ///
    /// No window reaches over the epoch: an event since 1970 is in windows that start there or later, an older one in
    /// windows that end there or earlier.
    @inline(__always)
    func starts(of time: EventTime.Milliseconds) -> (first: EventTime.Milliseconds, last: EventTime.Milliseconds) {
        let newest = time.flooredQuotient(by: step) * step
        if step == length { return (newest, newest) }
        let oldest = ((time - length).flooredQuotient(by: step) + 1) * step
        return time >= 0 ? (max(0, oldest), newest) : (oldest, min(newest, (-length).flooredQuotient(by: step) * step))
    }
}
