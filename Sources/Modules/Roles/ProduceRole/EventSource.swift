package import Domain

/// One event on its way to the log.
package struct SourceEvent: Sendable, Equatable {
    package let time: EventTime.Milliseconds
    /// `nil` when the key fields are missing; the stream's dead topic will say so.
    package let key: [UInt8]?
    /// A JSON object with the stream's fields in declaration order.
    package let value: [UInt8]
    /// What is wrong with it, for an event that the stream must refuse: where it stood and why.
    package let fault: Fault?

    package struct Fault: Sendable, Equatable {
        /// `path:line`.
        package let place: String
        package let reason: String

        package init(place: String, reason: String) {
            self.place = place
            self.reason = reason
        }
    }

    package init(time: EventTime.Milliseconds, key: [UInt8]?, value: [UInt8], fault: Fault? = nil) {
        self.time = time
        self.key = key
        self.value = value
        self.fault = fault
    }

    /// Says of a faulty event where it came from, for those who find it in the dead topic.
    package var headers: [Record.Header] {
        guard let fault else { return [] }
        return [Record.Header(HeaderName.sourcePlace, fault.place), Record.Header(HeaderName.sourceFault, fault.reason)]
    }
}

/// Where events come from: read once, in order, from one task.
package protocol EventSource: AnyObject {
    /// Up to `limit` further events; none at the end of a finite source.
    func next(_ limit: Int) throws -> [SourceEvent]
    /// First and last event time of a finite source.
    /// - Parameter latest: Later times are mistakes that the stream will refuse; they do not count.
    func span(notAfter latest: EventTime.Milliseconds) throws -> ClosedRange<EventTime.Milliseconds>?
}
