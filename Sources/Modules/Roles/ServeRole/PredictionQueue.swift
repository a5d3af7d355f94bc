package import Domain
package import EventLog
package import Logging
import Metrics
import Synchronization

/// Predictions on their way to the log: answers do not wait for the disk, and a log that is too slow costs a counted
/// number of records instead of memory.
///
/// A write costs as much as several answers, so records gather for a moment first: one request at a time must not mean one
/// write at a time.
package final class PredictionQueue: Sendable {
    /// What the writer waits for.
    private enum Need { case anything, fullBatch }

    private struct State {
        var records: [Record] = []
        var accepted = 0
        var settled = 0
        var isClosed = false
        var writer: (need: Need, continuation: CheckedContinuation<Void, Never>)?
        var flushes: [(until: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var isDropping = false

        func has(_ need: Need) -> Bool {
            switch need {
            case .anything: isClosed || !records.isEmpty
            case .fullBatch: isClosed || !flushes.isEmpty || records.count >= PredictionQueue.batchRecords
            }
        }

        /// The writer, when it waits for what is there now; it must be resumed then.
        mutating func takeWriter() -> CheckedContinuation<Void, Never>? {
            guard let writer, has(writer.need) else { return nil }
            self.writer = nil
            return writer.continuation
        }
    }

    private static let batchRecords = 1_000

    private let capacity: Int
    private let gathering: Duration
    private let topic: String
    private let log: any EventLog
    private let logger: Logger
    private let state = Mutex(State())
    private let dropped = Counter(label: "mlops_serve_predictions_dropped_total")
    private let waiting = Gauge(label: "mlops_serve_queued_predictions")

    /// - Parameters:
    ///   - capacity: Records that may wait.
    ///   - gathering: How long the first record of a batch waits for others; a full batch, a flush and the end do not wait.
    package init(
        capacity: Int = 50_000, gathering: Duration = .milliseconds(20), topic: String, log: any EventLog, logger: Logger
    ) {
        self.capacity = capacity
        self.gathering = gathering
        self.topic = topic
        self.log = log
        self.logger = logger
    }

    /// Takes records as long as there is room.
    /// - Returns: How many were dropped; they are counted and the first of a series is logged.
    @discardableResult
    package func offer(_ records: [Record]) -> Int {
        let (lost, isFirst, writer) = state.withLock { state -> (Int, Bool, CheckedContinuation<Void, Never>?) in
            let taken = state.isClosed ? 0 : min(records.count, capacity - state.records.count)
            state.records += records.prefix(taken)
            state.accepted += taken
            let lost = records.count - taken
            let isFirst = lost > 0 && !state.isDropping
            state.isDropping = lost > 0
            return (lost, isFirst, state.takeWriter())
        }
        writer?.resume()
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
        let writer = state.withLock { state in
            state.isClosed = true
            return state.takeWriter()
        }
        writer?.resume()
    }

    /// Returns when everything accepted so far has been written. Needs ``run()`` to be running.
    package func flush() async {
        await withCheckedContinuation { continuation in
            let (isDone, writer) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
                if state.settled >= state.accepted { return (true, nil) }
                state.flushes.append((state.accepted, continuation))
                return (false, state.takeWriter())
            }
            writer?.resume()
            if isDone { continuation.resume() }
        }
    }

    /// Writes batches until the queue is closed and empty. Cancelling closes it.
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
        await wait(for: .anything)
        await wait(for: .fullBatch, atMost: gathering)
        return state.withLock { state in
            let batch = Array(state.records.prefix(Self.batchRecords))
            state.records.removeFirst(batch.count)
            return batch.isEmpty ? nil : batch
        }
    }

    private func wait(for need: Need, atMost limit: Duration? = nil) async {
        let timer = Mutex<Task<Void, Never>?>(nil)
        await withCheckedContinuation { continuation in
            let resumeNow = state.withLock { state in
                if state.has(need) { return true }
                state.writer = (need, continuation)
                return false
            }
            if resumeNow { return continuation.resume() }
            guard let limit else { return }
            // Only now: a timer that fired before the writer waited would wake nobody, ever.
            let task = Task { [self] in if (try? await Task.sleep(for: limit)) != nil { endGathering() } }
            timer.withLock { $0 = task }
        }
        timer.withLock { $0 }?.cancel()
    }

    /// One that comes late finds the writer at its next batch, which is then a little smaller.
    private func endGathering() {
        let writer = state.withLock { state in
            guard case .fullBatch? = state.writer?.need else { return CheckedContinuation<Void, Never>?.none }
            defer { state.writer = nil }
            return state.writer?.continuation
        }
        writer?.resume()
    }

    /// Tries until the log takes the batch; one that it will never take is counted as dropped.
    private func write(_ batch: [Record]) async {
        var delay = Duration.milliseconds(50), batch = batch
        while true {
            do {
                return try await log.append(batch, to: topic)
            } catch let error as EventLogError where error.isRetriable && !Task.isCancelled {
                batch = error.unwritten ?? batch
                logger.warning("predictions wait for the log", metadata: ["error": "\(error)", "records": "\(batch.count)"])
                try? await Task.sleep(for: delay)
                delay = min(delay * 2, .seconds(5))
            } catch {
                batch = (error as? EventLogError)?.unwritten ?? batch
                dropped.increment(by: batch.count)
                return logger.error("predictions lost", metadata: ["error": "\(error)", "records": "\(batch.count)"])
            }
        }
    }
}
