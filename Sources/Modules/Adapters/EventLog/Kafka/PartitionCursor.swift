import CRDKafka
import Synchronization

/// One partition being read ahead from some offset on. Used by one reader at a time.
///
/// The library fetches into a bounded queue of the partition and stops fetching while it is full. Whether it still is, its
/// thread asks once a second by itself; ``FetchWaker`` makes it ask sooner.
final class PartitionCursor: @unchecked Sendable {
    /// The reader asked for an offset that the partition does not have.
    struct OutOfRange: Error { let offset: Int64 }

    let topic: String
    let partition: Int
    /// The offset of the next record that the queue will give.
    private(set) var next: Int64
    /// Where the fetcher last met the end of the partition.
    private var end: Int64 = -1
    /// Grows at each use, so that the one that has been idle longest can be found.
    var lastUse: UInt64 = 0
    private let fetch: Fetch
    private let lane: ReadLane
    private let waker: FetchWaker
    private var isStopped = false
    /// Records taken since the fetching thread was last woken.
    private var taken = 0

    /// Half of what the library keeps ahead at least, see `queued.min.messages`.
    private static let wakeEvery = 5_000
    private var messages = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: 1_024)

    /// Starts fetching; blocks for a moment, on the thread of the lane.
    /// - Parameter onArrival: Called from a thread of the library when the empty queue has received something.
    init(_ lane: ReadLane, topic: String, partition: Int, from: Int64, onArrival: @escaping @Sendable () -> Void) throws {
        self.topic = topic
        self.partition = partition
        self.lane = lane
        next = from
        waker = FetchWaker(lane, topic: topic, partition: partition)
        fetch = try Fetch(lane.handle, topic: topic, partition: partition, from: from, onArrival: onArrival)
    }

    deinit { stop() }

    /// Stops fetching, in turn with what the lane's thread has to do: what begins there later finds the partition free.
    func stop() {
        guard !isStopped else { return }
        isStopped = true
        let fetch = fetch
        lane.thread.enqueue { fetch.stop() }
    }

    /// Reads up to `limit` records, fewer only at the end of the partition.
    /// - Parameters:
    ///   - knownEnd: An end offset that somebody has been told: before it, the end has not been reached.
    ///   - patience: How long the brokers may say nothing.
    func read(limit: Int, knownEnd: Int64, patience: Duration) async throws -> RecordBatch {
        var run = MessageRun()
        let clock = ContinuousClock()
        var heard = clock.now
        while run.count < limit {
            let count = try take(limit - run.count, into: &run)
            if count > 0 {
                heard = clock.now
                taken += count
                if taken >= Self.wakeEvery {
                    taken = 0
                    waker.wake()
                }
                continue
            }
            if end >= next, next >= knownEnd { break }
            guard clock.now - heard < patience else {
                if run.count > 0 { break }
                throw KafkaFailure(RD_KAFKA_RESP_ERR__TIMED_OUT, "\(topic)/\(partition) at \(next): no answer")
            }
            try Task.checkCancellation()
            await fetch.signal.wait(.milliseconds(100))
        }
        run.close()
        return RecordBatch(topic: topic, partition: partition, nextOffset: next, count: run.count, chunks: run.chunks)
    }

    /// Takes what lies in the queue now.
    /// - Returns: How many messages that were, reports of the end included.
    private func take(_ limit: Int, into run: inout MessageRun) throws -> Int {
        let count = messages.withUnsafeMutableBufferPointer {
            rd_kafka_consume_batch_queue(fetch.queue, 0, $0.baseAddress, min(limit, $0.count))
        }
        guard count > 0 else { return 0 }
        var failure: (any Error)?
        for message in messages.prefix(count) {
            guard let message else { continue }
            defer { rd_kafka_message_destroy(message) }
            if failure != nil { continue }
            switch message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                guard message.pointee.offset >= next else { continue }
                run.append(message)
                next = message.pointee.offset + 1
            case RD_KAFKA_RESP_ERR__PARTITION_EOF:
                // Control records before the end have been skipped.
                end = message.pointee.offset
                next = max(next, end)
            case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
                failure = OutOfRange(offset: next)
            case let code:
                let text = message.pointee.payload.map {
                    String(decoding: UnsafeRawBufferPointer(start: $0, count: message.pointee.len), as: UTF8.self)
                }
                let found = KafkaFailure(code, text)
                // The library goes on by itself after what passes.
                if !found.isRetriable { failure = found }
            }
        }
        if let failure { throw failure }
        return count
    }
}

/// A partition that the library fetches into a queue, until it is told to stop.
///
/// The library holds a plain pointer to the signal, so what it points to lives until it has been told: a fetch that nobody stops
/// keeps its signal for ever.
private final class Fetch: @unchecked Sendable {
    let queue: OpaquePointer
    let signal: QueueSignal
    private let topic: OpaquePointer
    private let partition: Int32

    init(_ handle: KafkaHandle, topic: String, partition: Int, from: Int64, onArrival: @escaping @Sendable () -> Void) throws {
        let name = topic
        self.topic = try handle.topic(topic)
        self.partition = Int32(clamping: partition)
        guard let queue = rd_kafka_queue_new(handle.pointer) else { throw KafkaFailure(RD_KAFKA_RESP_ERR__FAIL) }
        self.queue = queue
        signal = QueueSignal(onArrival)
        rd_kafka_queue_cb_event_enable(
            queue,
            { _, opaque in
                if let opaque { Unmanaged<QueueSignal>.fromOpaque(opaque).takeUnretainedValue().raise() }
            }, Unmanaged.passRetained(signal).toOpaque())
        if rd_kafka_consume_start_queue(self.topic, self.partition, from, queue) != 0 {
            let code = rd_kafka_last_error()
            letGo()
            throw KafkaFailure(code, "\(name)/\(partition)")
        }
    }

    /// Once, and before the handle is freed; blocks until the library has stopped.
    func stop() {
        rd_kafka_consume_stop(topic, partition)
        letGo()
    }

    private func letGo() {
        // The library calls under the queue's lock, which this takes: afterwards no call is under way.
        rd_kafka_queue_cb_event_enable(queue, nil, nil)
        rd_kafka_queue_destroy(queue)
        Unmanaged.passUnretained(signal).release()
    }
}

/// Wakes the thread of the library that fetches a partition.
///
/// A question to the partition's leader passes through that thread, which then also looks at its queues; the answer is of no
/// interest. From 2.2 on the library has `fetch.queue.backoff.ms` instead, see ``KafkaProperties/forReader``.
final class FetchWaker: Sendable {
    private let lane: ReadLane
    private let topic: String
    private let partition: Int32
    private let isAsking = Atomic(false)

    init(_ lane: ReadLane, topic: String, partition: Int) {
        self.lane = lane
        self.topic = topic
        self.partition = Int32(clamping: partition)
    }

    func wake() {
        guard !isAsking.exchange(true, ordering: .acquiringAndReleasing) else { return }
        lane.thread.enqueue { [self] in
            isAsking.store(false, ordering: .releasing)
            var low: Int64 = 0, high: Int64 = 0
            _ = rd_kafka_query_watermark_offsets(lane.handle.pointer, topic, partition, &low, &high, 1_000)
        }
    }
}

/// Told by a thread of the library that a queue is no longer empty.
private final class QueueSignal: Sendable {
    private struct State {
        var isRaised = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let onArrival: @Sendable () -> Void

    init(_ onArrival: @escaping @Sendable () -> Void) { self.onArrival = onArrival }

    func raise() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.isRaised = true }
            return state.waiter
        }
        waiter?.resume()
        onArrival()
    }

    /// Returns when the signal has been raised since the last wait, or after `timeout`.
    func wait(_ timeout: Duration) async {
        let alarm = Task {
            try? await Task.sleep(for: timeout)
            if !Task.isCancelled { self.raiseWaiter() }
        }
        await withCheckedContinuation { continuation in
            let resumeNow = state.withLock { state in
                defer { state.isRaised = false }
                if !state.isRaised { state.waiter = continuation }
                return state.isRaised
            }
            if resumeNow { continuation.resume() }
        }
        alarm.cancel()
    }

    private func raiseWaiter() {
        state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }?.resume()
    }
}
