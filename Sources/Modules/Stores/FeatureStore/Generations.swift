import Domain
package import EventLog
package import Features

/// Tells, partition by partition, which rows of a topic count. See ``Generation``.
package struct Generations: Sendable {
    private let log: any EventLog
    /// The topic whose rows are meant.
    private let topic: String
    /// Where it is written down.
    private let notes: String
    private var known: [Int: (end: Int64, generation: Generation)] = [:]

    /// - Parameter topic: Of the view's topics; `nil` for that of its rows.
    package init(of view: ViewDefinition, topic: String? = nil, log: any EventLog) {
        self.log = log
        self.topic = topic ?? view.topic
        notes = view.topic + ".generations"
    }

    /// What counts now; ask after rows have been read, so that the answer is no older than they are.
    package mutating func current(_ partition: Int) async throws -> Generation {
        let end: Int64
        do {
            end = try await log.endOffset(topic: notes, partition: partition)
        } catch let error as EventLogError {
            // A log that never held a rebuild.
            if case .unknownTopic = error.code { return Generation() }
            throw error
        }
        if let known = known[partition], known.end == end { return known.generation }
        var generation = Generation(), at: Int64 = 0
        while at < end {
            let batch = try await log.read(topic: notes, partition: partition, from: at, limit: 100)
            guard batch.nextOffset > at else { break }
            for stored in try batch.records() where stored.record.key == Array(topic.utf8) {
                generation = stored.record.value.flatMap { Generation($0) } ?? generation
            }
            at = batch.nextOffset
        }
        known[partition] = (end, generation)
        return generation
    }
}
