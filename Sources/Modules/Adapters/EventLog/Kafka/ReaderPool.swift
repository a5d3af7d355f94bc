import CRDKafka
import Logging

/// Reads partitions by offset over a few handles, which keep fetching what is read in sequence.
///
/// A read that goes on where an earlier one ended takes from that one's queue. Another starts a fetch of its own: on a
/// handle that does not read the partition yet, or in place of the reader that has been idle longest.
actor ReaderPool {
    private struct Slot: Hashable {
        let handle: Int
        let topic: String
        let partition: Int
    }

    private let options: KafkaOptions
    private let statistics: @Sendable (String) -> Void
    private let onArrival: @Sendable (String) -> Void
    private var lanes: [ReadLane] = []
    private var isClosed = false
    private var idle: [Slot: PartitionCursor] = [:]
    private var busy: Set<Slot> = []
    private var uses: UInt64 = 0

    /// Readers that keep fetching though nobody reads.
    private static let maxIdle = 64

    init(_ options: KafkaOptions, statistics: @escaping @Sendable (String) -> Void, onArrival: @escaping @Sendable (String) -> Void) {
        self.options = options
        self.statistics = statistics
        self.onArrival = onArrival
    }

    /// See ``PartitionCursor/read(limit:knownEnd:patience:)``.
    func read(topic: String, partition: Int, from: Int64, limit: Int, knownEnd: Int64) async throws -> RecordBatch {
        let (slot, cursor) = try await cursor(topic, partition, from)
        do {
            let batch = try await cursor.read(limit: limit, knownEnd: knownEnd, patience: Self.patience)
            giveBack(slot, cursor)
            return batch
        } catch {
            cursor.stop()
            busy.remove(slot)
            throw error
        }
    }

    private static let patience = Duration.seconds(10)

    private func cursor(_ topic: String, _ partition: Int, _ from: Int64) async throws -> (Slot, PartitionCursor) {
        guard !isClosed else { throw CancellationError() }
        let mine = idle.filter { $0.key.topic == topic && $0.key.partition == partition }
        if let (slot, cursor) = mine.first(where: { $0.value.next == from }) {
            idle[slot] = nil
            busy.insert(slot)
            return (slot, cursor)
        }
        // Where nothing reads the partition yet, else the handle whose reader of it has been idle longest, else a new one.
        let free = lanes.indices.map { Slot(handle: $0, topic: topic, partition: partition) }
            .first { idle[$0] == nil && !busy.contains($0) }
        let slot: Slot
        if let free {
            slot = free
        } else if lanes.count >= Self.maxLanes, let oldest = mine.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            slot = oldest.key
        } else {
            slot = Slot(handle: lanes.count, topic: topic, partition: partition)
            lanes.append(try makeLane())
        }
        busy.insert(slot)
        idle.removeValue(forKey: slot)?.stop()
        let lane = lanes[slot.handle], onArrival = onArrival
        do {
            let cursor = try await lane.thread.run {
                try PartitionCursor(lane, topic: topic, partition: partition, from: from) { onArrival(topic) }
            }
            return (slot, cursor)
        } catch {
            busy.remove(slot)
            throw error
        }
    }

    /// Handles that are opened before readers of one partition take each other's place.
    private static let maxLanes = 4

    private func giveBack(_ slot: Slot, _ cursor: PartitionCursor) {
        uses += 1
        cursor.lastUse = uses
        busy.remove(slot)
        guard !isClosed else { return }
        idle[slot] = cursor
        guard idle.count > Self.maxIdle, let oldest = idle.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
        idle.removeValue(forKey: oldest.key)?.stop()
    }

    private func makeLane() throws -> ReadLane {
        let handle = try KafkaHandle(
            .consumer, KafkaProperties(options).forReader, logger: options.logger, callbacks: .init(statistics: statistics))
        return ReadLane(handle, name: "kafka-read-\(lanes.count)")
    }

    /// Reads that are under way go on to their end; later ones are refused.
    func close() {
        isClosed = true
        idle = [:]
        lanes = []
    }
}

/// A handle that reads partitions, and the thread that all blocking calls on it run on, one after another.
///
/// Both end when nobody holds the lane any more: a cursor does, and has stopped by then.
final class ReadLane: Sendable {
    let handle: KafkaHandle
    let thread: BlockingThread

    init(_ handle: KafkaHandle, name: String) {
        self.handle = handle
        // Serves statistics and errors between jobs.
        thread = BlockingThread(name) { rd_kafka_poll(handle.pointer, 10) }
    }

    deinit {
        let handle = handle
        thread.stop { handle.close() }
    }
}
