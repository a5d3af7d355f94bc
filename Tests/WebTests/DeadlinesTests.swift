import Synchronization
import Testing

@testable import Web

@Suite struct DeadlinesTests {
    private struct Refused: Error {}

    @Test func `ten thousand requests one after the other leave nothing behind and start one timer`() async throws {
        let deadlines = Deadlines()
        for number in 0..<10_000 {
            let answer = try await deadlines.run(within: .seconds(86_400)) {
                await Task.yield()
                return number
            }
            #expect(answer == number)
        }
        #expect(deadlines.counts == (running: 0, timersStarted: 1))
    }

    @Test func `many at a time share the timer too`() async throws {
        let deadlines = Deadlines()
        try await withThrowingTaskGroup(of: Int?.self) { group in
            for number in 0..<1_000 {
                group.addTask {
                    try await deadlines.run(within: .seconds(86_400)) {
                        await Task.yield()
                        return number
                    }
                }
            }
            var answered: Set<Int> = []
            for try await answer in group { if let answer { answered.insert(answer) } }
            #expect(answered.count == 1_000)
        }
        let counts = deadlines.counts
        // Those that begin at the same moment may come to the timer in another order than their deadlines.
        #expect(counts.running == 0 && counts.timersStarted < 50)
    }

    @Test func `what takes too long is cancelled, what began later with more time is not`() async throws {
        let deadlines = Deadlines()
        let (gate, opened) = AsyncStream<Void>.makeStream()
        async let patient = deadlines.run(within: .seconds(86_400)) {
            for await _ in gate {}
            return "patient"
        }
        let cut = try await deadlines.run(within: .milliseconds(5)) {
            // Answers in spite of its cancellation: too late all the same.
            try? await Task.sleep(for: .seconds(172_800))
            return "cut"
        }
        #expect(cut == nil)
        opened.finish()
        #expect(try await patient == "patient")
        #expect(deadlines.counts.running == 0)
    }

    @Test func `deadlines that follow one another are all kept`() async throws {
        let deadlines = Deadlines()
        try await withThrowingTaskGroup(of: String?.self) { group in
            for milliseconds in [30, 5, 20, 10] {
                group.addTask {
                    try await deadlines.run(within: .milliseconds(milliseconds)) {
                        try await Task.sleep(for: .seconds(172_800))
                        return "late"
                    }
                }
            }
            for try await answer in group { #expect(answer == nil) }
        }
        #expect(deadlines.counts.running == 0)
    }

    @Test func `an error passes, and a cancelled caller cancels what it runs`() async throws {
        let deadlines = Deadlines()
        await #expect(throws: Refused.self) { try await deadlines.run(within: .seconds(86_400)) { throw Refused() } }
        let caller = Task {
            try await deadlines.run(within: .seconds(86_400)) { try await Task.sleep(for: .seconds(172_800)) }
        }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        #expect(deadlines.counts.running == 0)
    }
}
