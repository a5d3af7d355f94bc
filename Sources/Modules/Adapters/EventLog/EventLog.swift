package import Domain

/// The log that roles meet at: topics cut into partitions by the hash of the key, with order and offsets inside each.
///
/// Two backends: ``LocalLog``, one SQLite file in a directory, for one machine; and Kafka between processes. What a role
/// writes, remembers and has read is one ``LogUnit``, all or nothing on either.
package protocol EventLog: Sendable {
    /// Creates the topics that do not exist yet.
    /// - Throws: `topicMismatch` when one exists with other partitions or another policy.
    func createTopics(_ plans: [TopicPlan]) async throws

    func topics() async throws -> [TopicPlan]

    /// - Throws: `unknownTopic`.
    func partitions(of topic: String) async throws -> Int

    /// How long a topic keeps records by the time in them, milliseconds; `nil` for ever, or where that is not told.
    func retention(of topic: String) async throws -> Int64?

    /// The first offset that is there still: what came before it has been removed. 0 where nothing is ever removed.
    func firstOffset(topic: String, partition: Int) async throws -> Int64

    /// One past the last offset; 0 for an empty partition.
    func endOffset(topic: String, partition: Int) async throws -> Int64

    /// The end offsets of all partitions, by partition.
    func endOffsets(topic: String) async throws -> [Int64]

    /// Where a group goes on reading, as others may know it; 0 when it has never committed. A role that resumes under a
    /// lease goes by ``savedState(group:partition:)``.
    func committed(group: String, topic: String, partition: Int) async throws -> Int64

    /// Appends records, each to the partition of its key, and returns when they are stored.
    /// - Throws: ``EventLogError``; who tries again sends its `unwritten` records, where it names any.
    func append(_ records: [Record], to topic: String) async throws

    /// Up to about `limit` records of a partition from an offset on.
    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch

    /// Takes a partition for a group, or renews it when this owner already has it.
    ///
    /// - Parameters:
    ///   - owner: See ``Lease/ownerName(_:)``.
    ///   - now: Wall time in milliseconds: the only clock that processes share.
    ///   - timeToLive: Milliseconds until an unrenewed lease expires.
    /// - Returns: `nil` while another owner holds it.
    func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease?

    /// Gives a partition back, so that the next process need not wait.
    func release(_ lease: Lease) async throws

    /// What a group last committed for one of its partitions.
    func savedState(group: String, partition: Int) async throws -> SavedState

    /// Writes outputs, state changes and next input offsets, all or nothing.
    /// - Throws: `fenced` when the unit's lease has gone to another owner. After other errors of a cluster the unit may have been
    ///   written all the same: ``savedState(group:partition:)`` finds out.
    func commit(_ unit: LogUnit) async throws

    /// Grows with every append to one of the topics that this process knows of; for ``waitForAppend(to:after:timeout:)``.
    func version(of topics: [String]) -> UInt64

    /// Returns as soon as ``version(of:)`` is no longer `version`, or after `timeout`, by when another process may have
    /// appended something.
    func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async

    /// From now on a log that has gone away is waited for, as long as that takes: this process is a service. Before, and
    /// in commands that end, an operation fails after some time.
    func keepTrying()

    /// Leaves groups and ends connections, so that others need not find out that this process is gone. Nothing is called afterwards.
    func close() async
}

/// A topic as the project wants it.
package struct TopicPlan: Sendable, Hashable {
    package let name: String
    package let partitions: Int
    /// Keeps only the latest record of each key.
    package let isCompacted: Bool

    package init(name: String, partitions: Int, isCompacted: Bool = false) {
        self.name = name
        self.partitions = partitions
        self.isCompacted = isCompacted
    }
}

/// What a group remembers of one partition of its work.
package struct SavedState: Sendable {
    /// In key order.
    package let entries: [(key: [UInt8], value: [UInt8])]
    private let positions: [LogUnit.Position]

    package init(entries: [(key: [UInt8], value: [UInt8])], positions: [LogUnit.Position]) {
        self.entries = entries
        self.positions = positions
    }

    /// The next offset to read; 0 where nothing was ever committed.
    package func position(topic: String, partition: Int) -> Int64 {
        positions.first { $0.topic == topic && $0.partition == partition }?.next ?? 0
    }

    package subscript(key: String) -> [UInt8]? {
        let bytes = Array(key.utf8)
        return entries.first { $0.key == bytes }?.value
    }
}
