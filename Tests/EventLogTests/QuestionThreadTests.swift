import CRDKafka
import Foundation
import Synchronization
import Testing

@testable import EventLog

struct QuestionThreadTests {
    private final class Asked: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ text: String) { list.withLock { $0.append(text) } }
    }

    @Test func `while nobody answers, a question that nobody waits for any more is not begun`() async throws {
        let thread = QuestionThread("test"), asked = Asked(), gate = DispatchSemaphore(value: 0)
        let begun = AsyncStream<Void>.makeStream()
        let first = Task {
            try await thread.run {
                begun.continuation.yield()
                gate.wait()
                throw KafkaFailure(RD_KAFKA_RESP_ERR__TRANSPORT)
            }
        }
        for await _ in begun.stream { break }
        let second = Task { try await thread.run { asked.add("unwanted") } }
        second.cancel()
        gate.signal()
        await #expect(throws: KafkaFailure.self) { try await first.value }
        await #expect(throws: CancellationError.self) { try await second.value }
        try await thread.run { asked.add("wanted") }
        let third = Task { try await thread.run { asked.add("cancelled, and answered") } }
        third.cancel()
        try await third.value
        #expect(asked.all == ["wanted", "cancelled, and answered"])
        thread.stop {}
        await #expect(throws: CancellationError.self) { try await thread.run {} }
    }

    @Test func `who is cancelled does not wait for an answer that does not come`() async throws {
        let thread = QuestionThread("test"), gate = DispatchSemaphore(value: 0)
        let begun = AsyncStream<Void>.makeStream()
        let asking = Task {
            try await thread.run {
                begun.continuation.yield()
                gate.wait()
            }
        }
        for await _ in begun.stream { break }
        asking.cancel()
        await #expect(throws: CancellationError.self) { try await asking.value }
        gate.signal()
        #expect(try await thread.run { 7 } == 7)
        thread.stop {}
    }
}
