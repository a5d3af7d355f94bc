import Domain
import Synchronization
import Testing

@testable import EventLog

/// A log that can only be waited for, and notes how.
private final class WaitedLog: EventLog {
    struct Unused: Error {}

    private let appends = Mutex<UInt64>(0)
    private let waits = Mutex<[(after: UInt64, timeout: Duration)]>([])
    private let onWait: @Sendable (_ count: Int) async -> Void

    /// - Parameter onWait: Called at each wait, before it is over.
    init(onWait: @escaping @Sendable (_ count: Int) async -> Void = { _ in }) { self.onWait = onWait }

    var waited: [(after: UInt64, timeout: Duration)] { waits.withLock { $0 } }
    func noteAppend() { appends.withLock { $0 += 1 } }

    func version(of topics: [String]) -> UInt64 { topics == ["rows"] ? appends.withLock { $0 } : .max }
    func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {
        let count = waits.withLock { waits in
            waits.append((version, timeout))
            return waits.count
        }
        await onWait(count)
    }

    func createTopics(_ plans: [TopicPlan]) async throws { throw Unused() }
    func topics() async throws -> [TopicPlan] { throw Unused() }
    func partitions(of topic: String) async throws -> Int { throw Unused() }
    func endOffset(topic: String, partition: Int) async throws -> Int64 { throw Unused() }
    func endOffsets(topic: String) async throws -> [Int64] { throw Unused() }
    func committed(group: String, topic: String, partition: Int) async throws -> Int64 { throw Unused() }
    func append(_ records: [Record], to topic: String) async throws { throw Unused() }
    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch { throw Unused() }
    func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? { throw Unused() }
    func release(_ lease: Lease) async throws { throw Unused() }
    func savedState(group: String, partition: Int) async throws -> SavedState { throw Unused() }
    func commit(_ unit: LogUnit) async throws { throw Unused() }
    func retention(of topic: String) async throws -> Int64? { throw Unused() }
    func firstOffset(topic: String, partition: Int) async throws -> Int64 { throw Unused() }
    func keepTrying() {}
    func close() async {}
}

@Suite struct FollowingTests {
    private struct Enough: Error {}

    private static let passing = EventLogError(.unreachable(brokers: "nobody", seconds: 1), during: "read", isRetriable: true)
    private static let lasting = EventLogError(.unknownTopic("rows"), during: "read")

    /// Follows until `refresh` throws what ends it.
    private func follow(
        _ log: WaitedLog, _ refresh: @escaping @Sendable (_ call: Int) async throws -> Void
    ) async throws -> [EventLogError] {
        let calls = Mutex(0), told = Mutex<[EventLogError]>([])
        do {
            try await log.follow("rows") { error in
                told.withLock { $0.append(error) }
            } refresh: {
                try await refresh(
                    calls.withLock { calls in
                        calls += 1
                        return calls
                    })
            }
        } catch is Enough {}
        return told.withLock { $0 }
    }

    @Test func `what passes is told and tried again after a longer wait`() async throws {
        #expect(Self.passing.isRetriable && !Self.lasting.isRetriable)
        let log = WaitedLog()
        let told = try await follow(log) { call in
            if call == 2 || call == 3 { throw Self.passing }
            if call == 5 { throw Enough() }
        }
        #expect(told.count == 2 && told.allSatisfy { $0.isRetriable })
        #expect(log.waited.map(\.timeout) == [.milliseconds(100), .seconds(1), .seconds(1), .milliseconds(100)])
    }

    @Test func `what does not pass ends it and is not told as trouble`() async throws {
        let log = WaitedLog(), told = Mutex(0), calls = Mutex(0)
        let error = await #expect(throws: EventLogError.self) {
            try await log.follow("rows") { _ in
                told.withLock { $0 += 1 }
            } refresh: {
                calls.withLock { $0 += 1 }
                throw Self.lasting
            }
        }
        #expect(error?.isRetriable == false && told.withLock { $0 } == 0 && calls.withLock { $0 } == 1 && log.waited.isEmpty)
    }

    @Test func `what is appended while it reads is not waited for`() async throws {
        let log = WaitedLog()
        _ = try await follow(log) { call in
            if call == 3 { throw Enough() }
            log.noteAppend()
        }
        #expect(log.waited.map(\.after) == [0, 1])
    }

    @Test func `it ends when its task is cancelled, without an error`() async throws {
        let task = Mutex<Task<Void, any Error>?>(nil), calls = Mutex(0)
        let log = WaitedLog { count in if count == 3 { task.withLock { $0 }?.cancel() } }
        let gate = AsyncStream<Void>.makeStream()
        let following = Task {
            for await _ in gate.stream { break }
            try await log.follow("rows") { _ in
            } refresh: {
                calls.withLock { $0 += 1 }
            }
        }
        task.withLock { $0 = following }
        gate.continuation.yield()
        try await following.value
        #expect(calls.withLock { $0 } == 3)
    }
}
