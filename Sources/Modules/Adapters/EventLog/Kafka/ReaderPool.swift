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

    private struct Lane {
        let handle: KafkaHandle
        let thread: BlockingThread
    }

    private let options: KafkaOptions
    private let statistics: @Sendable (String) -> Void
    private let onArrival: @Sendable (String) -> Void
    private var lanes: [Lane] = []
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
            try? await lanes[slot.handle].thread.run { cursor.stop() }
            busy.remove(slot)
            throw error
        }
    }

    private static let patience = Duration.seconds(10)

    private func cursor(_ topic: String, _ partition: Int, _ from: Int64) async throws -> (Slot, PartitionCursor) {
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
        let replaced = idle.removeValue(forKey: slot)
        let lane = lanes[slot.handle], onArrival = onArrival
        do {
            let cursor = try await lane.thread.run {
                replaced?.stop()
                let waker = FetchWaker(lane.handle, lane.thread, topic: topic, partition: partition)
                return try PartitionCursor(lane.handle, topic: topic, partition: partition, from: from, waker: waker) { onArrival(topic) }
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
        idle[slot] = cursor
        guard idle.count > Self.maxIdle, let oldest = idle.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
        idle[oldest.key] = nil
        let stopped = oldest.value
        lanes[oldest.key.handle].thread.enqueue { stopped.stop() }
    }

    private func makeLane() throws -> Lane {
        let handle = try KafkaHandle(
            .consumer, KafkaProperties(options).forReader, logger: options.logger, callbacks: .init(statistics: statistics))
        // Serves statistics and errors between jobs.
        return Lane(handle: handle, thread: BlockingThread("kafka-read-\(lanes.count)") { rd_kafka_poll(handle.pointer, 10) })
    }

    func close() {
        for (slot, cursor) in idle { lanes[slot.handle].thread.enqueue { cursor.stop() } }
        idle = [:]
        for lane in lanes { lane.thread.stop { lane.handle.close() } }
        lanes = []
    }
}
