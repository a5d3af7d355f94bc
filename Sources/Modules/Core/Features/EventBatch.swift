import Domain
package import Streaming
package import Table

/// Accepted events of one partition in log order, decoded into columns, with the ticks between them.
package struct EventBatch: Sendable {
    /// The stream's fields, then `event_time_ms`; one row per accepted event.
    package let events: Table
    /// Per row of `events`, the number of its entity.
    package let keyOfRow: [Int]
    /// Events and ticks in log order.
    package let steps: [WindowStep]
    package var dead: [DeadRecord]
    /// Events dropped because their id had been seen.
    package let duplicates: Int

    /// Per row of `events`, its offset.
    var offsets: [Int64] {
        steps.compactMap { step in
            if case .event = step.kind { step.offset } else { nil }
        }
    }
}

/// A record that was not accepted, and why.
package struct DeadRecord: Sendable, Equatable {
    package let offset: Int64
    package let reason: String

    package init(offset: Int64, reason: String) {
        self.offset = offset
        self.reason = reason
    }
}
