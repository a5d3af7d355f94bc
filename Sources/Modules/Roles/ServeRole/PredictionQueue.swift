package import Domain
package import EventLog
package import Logging
import Metrics
import Synchronization

/// Predictions on their way to the log: answers do not wait for the disk, and a log that is too slow costs a counted
/// number of records instead of memory.
package final class PredictionQueue: Sendable {
    private struct State {
        var records: [Record] = []
        var accepted = 0
        var settled = 0
        var isClosed = false
        var consumer: CheckedContinuation<Void, Never>?
        var flushes: [(until: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var isDropping = false
    }

    private static let batchRecords = 1_000

    private let capacity: Int
    private let topic: String
    private let log: any EventLog
    private let logger: Logger
    private let state = Mutex(State())
    private let dropped = Counter(label: "mlops_serve_predictions_dropped_total")
    private let waiting = Gauge(label: "mlops_serve_queued_predictions")

    /// - Parameter capacity: Records that may wait.
    package init(capacity: Int = 50_000, topic: String, log: any EventLog, logger: Logger) {
        self.capacity = capacity
        self.topic = topic
        self.log = log
        self.logger = logger
    }

    /// Takes records as long as there is room.
    /// - Returns: How many were dropped; they are counted and the first of a series is logged.
    @discardableResult
    package func offer(_ records: [Record]) -> Int {
        let (lost, isFirst, consumer) = state.withLock { state -> (Int, Bool, CheckedContinuation<Void, Never>?) in
            let taken = state.isClosed ? 0 : min(records.count, capacity - state.records.count)
            state.records += records.prefix(taken)
            state.accepted += taken
            let lost = records.count - taken
            let isFirst = lost > 0 && !state.isDropping
            state.isDropping = lost > 0
            defer { state.consumer = nil }
            return (lost, isFirst, state.consumer)
        }
        consumer?.resume()
        if lost > 0 {
            dropped.increment(by: lost)
            if isFirst {
                logger.error("predictions dropped: the log is too slow", metadata: ["topic": "\(topic)", "capacity": "\(capacity)"])
            }
        }
        return lost
    }

    /// Nothing is accepted any more; ``run()`` writes what waits and returns.
    package func close() {
        let consumer = state.withLock { state in
            state.isClosed = true
            defer { state.consumer = nil }
            return state.consumer
        }
        consumer?.resume()
    }

    /// Returns when everything accepted so far has been written. Needs ``run()`` to be running.
    package func flush() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.settled >= state.accepted { return true }
                state.flushes.append((state.accepted, continuation))
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Writes batches until the queue is closed and empty. While one is written the next one gathers. Cancelling closes it.
    package func run() async {
        await withTaskCancellationHandler {
            await writeAll()
        } onCancel: {
            close()
        }
    }

    private func writeAll() async {
        while let batch = await next() {
            waiting.record(state.withLock { $0.records.count })
            await write(batch)
            let done = state.withLock { state in
                state.settled += batch.count
                let done = state.flushes.filter { $0.until <= state.settled }
                state.flushes.removeAll { $0.until <= state.settled }
                return done
            }
            for flush in done { flush.continuation.resume() }
        }
    }

    /// `nil` when the queue is closed and empty.
    private func next() async -> [Record]? {
        while true {
            let (batch, isClosed) = state.withLock { state in
                let batch = Array(state.records.prefix(Self.batchRecords))
                state.records.removeFirst(batch.count)
                return (batch, state.isClosed)
            }
            if !batch.isEmpty { return batch }
            if isClosed { return nil }
            await withCheckedContinuation { continuation in
                let resumeNow = state.withLock { state in
                    if state.isClosed || !state.records.isEmpty { return true }
                    state.consumer = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        }
    }

    /// Tries until the log takes the batch; one that it will never take is counted as dropped.
    private func write(_ batch: [Record]) async {
        var delay = Duration.milliseconds(50)
        while true {
            do {
                return try await log.append(batch, to: topic)
            } catch let error as EventLogError where error.isRetriable && !Task.isCancelled {
                logger.warning("predictions wait for the log", metadata: ["error": "\(error)", "records": "\(batch.count)"])
                try? await Task.sleep(for: delay)
                delay = min(delay * 2, .seconds(5))
            } catch {
                dropped.increment(by: batch.count)
                return logger.error("predictions lost", metadata: ["error": "\(error)", "records": "\(batch.count)"])
            }
        }
    }
}
