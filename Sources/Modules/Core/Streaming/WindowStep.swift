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

/// An event that came after a window it belongs to had closed.
package struct LateEvent: Sendable, Equatable {
    /// Index of its step in the batch.
    package let step: Int
    package let windowStart: EventTime.Milliseconds
    /// How far its time lies behind what was still accepted, milliseconds.
    package let lateBy: Int64
}

/// What a row of a window is besides a final, newest one.
package struct RowMark: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The present state of a window that is still open.
    package static let partial = RowMark(rawValue: 1)
    /// The window no longer exists: it has become part of another. Its values say nothing.
    package static let removed = RowMark(rawValue: 2)
    /// A row of a later window of the key has been emitted before: this one is not the key's latest.
    package static let outrun = RowMark(rawValue: 4)
}

/// The rows that windows gave in a batch, in order; the final ones of a key come in the order of their windows.
package struct WindowRows: Sendable {
    package var keys: [Int] = []
    package var starts: [EventTime.Milliseconds] = []
    package var ends: [EventTime.Milliseconds] = []
    /// Whether no event fell into the window and the row was made up for it.
    package var synthetic: [Bool] = []
    /// Index of the step in the batch that led to the row; ascending.
    package var steps: [Int] = []
    /// One per row; `nil` when every row is final and the key's newest.
    package var marks: [RowMark]?
    /// One column per aggregate call, each with one cell per row.
    package var results: [Column] = []
    package var late: [LateEvent] = []

    package var count: Int { keys.count }
}
