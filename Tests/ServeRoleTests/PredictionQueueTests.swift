import Domain
import EventLog
import Testing

@testable import ServeRole

@Suite struct PredictionQueueTests {
    private func record(_ number: Int) -> Record { Record(key: [1], value: Array(String(number).utf8), timestamp: 0) }

    private func queue(_ fixture: ServeFixture, capacity: Int, gathering: Duration = .milliseconds(20)) -> PredictionQueue {
        PredictionQueue(capacity: capacity, gathering: gathering, topic: "predictions", log: fixture.log, logger: ServeFixture.logger)
    }

    /// Longer than any test runs.
    private let ages = Duration.seconds(86_400)

    @Test func `what fits is written in order, what does not is said to be dropped`() async throws {
        try await ServeFixture.run { fixture in
            let queue = queue(fixture, capacity: 10)
            #expect(queue.offer((0..<7).map(record)) == 0)
            #expect(queue.offer((7..<14).map(record)) == 4)
            #expect(queue.offer([record(99)]) == 1)
            queue.close()
            await queue.run()
            let written = try await fixture.predictions()
            #expect(written.map { String(decoding: $0.value ?? [], as: UTF8.self) } == (0..<10).map(String.init))
        }
    }

    @Test func `a flush returns when everything accepted before it is in the log`() async throws {
        try await ServeFixture.run { fixture in
            let queue = queue(fixture, capacity: 100_000)
            let writer = Task { await queue.run() }
            for round in 1...5 {
                queue.offer((0..<1_500).map(record))
                await queue.flush()
                let written = try await fixture.predictions()
                #expect(written.count == round * 1_500)
            }
            queue.close()
            await writer.value
        }
    }

    @Test func `a closed queue takes nothing more`() async throws {
        try await ServeFixture.run { fixture in
            let queue = queue(fixture, capacity: 10)
            queue.close()
            #expect(queue.offer([record(1)]) == 1)
            await queue.run()
            let written = try await fixture.predictions()
            #expect(written.isEmpty)
        }
    }

    @Test func `records that come one by one are written together`() async throws {
        try await ServeFixture.run { fixture in
            let queue = queue(fixture, capacity: 100_000, gathering: ages)
            let writer = Task { await queue.run() }
            let appends = fixture.log.version(of: ["predictions"])
            for number in 0..<500 {
                queue.offer([record(number)])
                if number % 50 == 0 { await Task.yield() }
            }
            queue.close()
            await writer.value
            let written = try await fixture.predictions()
            #expect(written.count == 500)
            #expect(fixture.log.version(of: ["predictions"]) == appends + 1)
        }
    }

    @Test func `what has gathered long enough is written though nothing else comes`() async throws {
        try await ServeFixture.run { fixture in
            let queue = queue(fixture, capacity: 10, gathering: .milliseconds(1))
            let writer = Task { await queue.run() }
            for round in 1...3 {
                let version = fixture.log.version(of: ["predictions"])
                queue.offer([record(round)])
                await fixture.log.waitForAppend(to: ["predictions"], after: version, timeout: .seconds(600))
                let written = try await fixture.predictions()
                #expect(written.count == round)
            }
            queue.close()
            await writer.value
        }
    }

    @Test func `a full batch and a flush do not wait for more`() async throws {
        try await ServeFixture.run { fixture in
            let queue = queue(fixture, capacity: 100_000, gathering: ages)
            let writer = Task { await queue.run() }
            let version = fixture.log.version(of: ["predictions"])
            queue.offer((0..<1_000).map(record))
            await fixture.log.waitForAppend(to: ["predictions"], after: version, timeout: .seconds(600))
            var written = try await fixture.predictions()
            #expect(written.count == 1_000)
            queue.offer([record(1_000)])
            await queue.flush()
            written = try await fixture.predictions()
            #expect(written.count == 1_001)
            queue.close()
            await writer.value
        }
    }
}
