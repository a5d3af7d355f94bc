package import EventLog
package import Features

/// The topics that a stream and its views live on.
package enum StreamTopics {
    /// Partitions of streams and views, which must agree so that a worker writes to the partition it reads.
    package static var partitions: Int { 4 }

    package static func plans(streams: [StreamDefinition], views: [ViewDefinition]) -> [TopicPlan] {
        streams.flatMap { stream in
            [stream.topic, dead(stream), late(stream)].map { TopicPlan(name: $0, partitions: partitions) }
        }
            + views.flatMap { view in
                [
                    TopicPlan(name: view.topic, partitions: partitions),
                    TopicPlan(name: latest(view), partitions: partitions, isCompacted: true),
                    TopicPlan(name: generations(view), partitions: partitions, isCompacted: true),
                ] + (view.outliers?.action == .quarantine ? [TopicPlan(name: quarantine(view), partitions: partitions)] : [])
            }
    }

    package static func dead(_ stream: StreamDefinition) -> String { stream.topic + ".dead" }
    package static func late(_ stream: StreamDefinition) -> String { stream.topic + ".late" }
    package static func quarantine(_ view: ViewDefinition) -> String { view.topic + ".quarantine" }
    /// Which rows count; see ``Generation``.
    package static func generations(_ view: ViewDefinition) -> String { view.topic + ".generations" }
    package static func latest(_ view: ViewDefinition) -> String { view.topic + ".latest" }
}
