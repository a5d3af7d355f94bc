import Domain
package import Expressions
import Table

/// The columns of a stream, table or view, and what its rows know about time.
package struct ViewSchema: Sendable {
    package enum Metadata: Sendable, Hashable {
        /// One row per event: `event_time_ms`.
        case event
        /// One row per window: `window_start_ms`, `window_end_ms`, `is_final`, `synthetic`.
        case window

        package var columns: Schema {
            switch self {
            case .event: [("event_time_ms", .int)]
            case .window: [("window_start_ms", .int), ("window_end_ms", .int), ("is_final", .bool), ("synthetic", .bool)]
            }
        }

        /// The column from which on a row could have been known; joins, ages and labels go by it.
        package var availabilityColumn: String {
            switch self {
            case .event: "event_time_ms"
            case .window: "window_end_ms"
            }
        }

        /// The column that is the record timestamp of a row.
        package var timestampColumn: String {
            switch self {
            case .event: "event_time_ms"
            case .window: "window_start_ms"
            }
        }
    }

    /// The entity, in key order; empty for rows without one.
    package let key: Schema
    /// Declared columns; for a stream its fields, key fields among them.
    package let declared: Schema
    package let metadata: Metadata

    package init(key: Schema, declared: Schema, metadata: Metadata) {
        self.key = key
        self.declared = declared
        self.metadata = metadata
    }

    package init(stream: StreamDefinition) {
        let fields: Schema = stream.fields.map { ($0.name, $0.type) }
        self.init(key: stream.key.compactMap { name in fields.first { $0.name == name } }, declared: fields, metadata: .event)
    }

    /// Every column a row carries, in order: the key (unless declared), the declared columns, the metadata.
    package var columns: Schema {
        let names = Set(declared.map(\.name))
        return key.filter { !names.contains($0.name) } + declared + metadata.columns
    }
}
