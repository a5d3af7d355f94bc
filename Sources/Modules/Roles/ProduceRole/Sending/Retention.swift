package import Domain
import Expressions

/// How long a topic keeps what it is sent: a broker deletes old events as soon as it cleans up, whenever they came.
package struct Retention: Sendable, Equatable {
    package struct Refused: Error, Equatable, CustomStringConvertible {
        package let topic: String
        package let time: EventTime.Milliseconds
        package let kept: Int64

        package var description: String {
            "an event of \(EventTime.format(time)) would be deleted at once: the topic \"\(topic)\" keeps "
                + "\(DurationText.format(kept)) of event time. Let it keep everything: "
                + "kafka-configs --alter --entity-type topics --entity-name \(topic) --add-config retention.ms=-1"
        }
    }

    package let topic: String
    /// Milliseconds of event time; `nil` for ever.
    package let kept: Int64?

    package init(topic: String, kept: Int64?) {
        self.topic = topic
        self.kept = kept
    }

    /// - Parameter times: Of events that the stream may accept; impossible ones do not count.
    /// - Throws: ``Refused`` when one of them is older than what the topic keeps.
    package func check(_ times: some Sequence<EventTime.Milliseconds>, now: EventTime.Milliseconds) throws(Refused) {
        guard let kept, let oldest = times.lazy.filter({ EventTime.range.contains($0) }).min(), now - oldest > kept else { return }
        throw Refused(topic: topic, time: oldest, kept: kept)
    }
}
