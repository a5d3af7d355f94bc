package import Domain

/// One event on its way to the log.
package struct SourceEvent: Sendable, Equatable {
    package let time: EventTime.Milliseconds
    /// `nil` when the key fields are missing; the stream's dead topic will say so.
    package let key: [UInt8]?
    /// A JSON object with the stream's fields in declaration order.
    package let value: [UInt8]
}

/// Where events come from: read once, in order, from one task.
package protocol EventSource: AnyObject {
    /// Up to `limit` further events; none at the end of a finite source.
    func next(_ limit: Int) throws -> [SourceEvent]
    /// First and last event time of a finite source.
    /// - Parameter latest: Later times are mistakes that the stream will refuse; they do not count.
    func span(notAfter latest: EventTime.Milliseconds) throws -> ClosedRange<EventTime.Milliseconds>?
}

extension EventSource {
    /// Passes over the first `count` events: where a restarted producer goes on.
    package func skip(_ count: Int64) throws {
        var left = count
        while left > 0 {
            let skipped = try next(Int(min(left, 10_000)))
            if skipped.isEmpty { return }
            left -= Int64(skipped.count)
        }
    }
}
