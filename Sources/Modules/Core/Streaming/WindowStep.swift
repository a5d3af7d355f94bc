package import Domain
package import Table

/// One thing that happens to a key, in log order: an event to aggregate, or a statement about time.
package struct WindowStep: Sendable {
    package enum Kind: Sendable {
        /// An event; `row` is its row in the argument columns.
        case event(row: Int)
        /// Nothing came for the key up to `time`.
        case idle
        /// The finite input of the key has ended; the step's time is not looked at.
        case end
    }

    package let kind: Kind
    /// Dense index of the key, as handed out by the caller.
    package let key: Int
    package let time: EventTime.Milliseconds
    /// Place in the partition; orders events of equal time.
    package let offset: Int64

    package init(_ kind: Kind, key: Int, time: EventTime.Milliseconds, offset: Int64) {
        self.kind = kind
        self.key = key
        self.time = time
        self.offset = offset
    }
}

/// An event whose window had already closed.
package struct LateEvent: Sendable, Equatable {
    /// Index of its step in the batch.
    package let step: Int
    package let windowStart: EventTime.Milliseconds
    /// How far its time lies behind what was still accepted, milliseconds.
    package let lateBy: Int64
}

/// The windows that closed in a batch, in closing order; per key that is ascending start.
package struct ClosedWindows: Sendable {
    package var keys: [Int] = []
    package var starts: [EventTime.Milliseconds] = []
    /// Whether no event fell into the window and its values were carried on.
    package var synthetic: [Bool] = []
    /// One column per aggregate call, each with one cell per closed window.
    package var results: [Column] = []
    package var late: [LateEvent] = []

    package var count: Int { keys.count }
}
