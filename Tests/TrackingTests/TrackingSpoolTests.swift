import Foundation
import Testing
import Web

@testable import Tracking

@Suite struct TrackingSpoolTests {
    private func with(maxBytes: Int = 1 << 20, _ body: (TrackingSpool, String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "spool-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(TrackingSpool(directory: directory, maxBytes: maxBytes), directory)
    }

    private func entry(_ number: Int) -> TrackingSpool.Entry { .init(route: "runs/log-batch", body: Array(#"{"n":\#(number)}"#.utf8)) }

    /// Nobody listens there: a port is taken and given back.
    private func away(_ spool: TrackingSpool) -> TrackingClient {
        TrackingClient(http: JSONClient(baseURL: "http://127.0.0.1:1", retry: .none), spool: spool)
    }

    @Test func `what is kept comes back in order, also after a line that a crash cut short`() async throws {
        try await with { spool, directory in
            for number in 0..<3 { try await spool.add(entry(number), run: "r1") }
            try await spool.add(entry(9), run: "r2")
            let file = FileHandle(forWritingAtPath: directory + "/r1.jsonl")
            _ = try file?.seekToEnd()
            try file?.write(contentsOf: Data(#"{"route":"runs/log-ba"#.utf8))
            #expect(await spool.entries("r1") == (0..<3).map(entry))
            #expect(await spool.runs() == ["r1", "r2"])
        }
    }

    @Test func `a run is forgotten only when all of it was taken`() async throws {
        try await with { spool, _ in
            for number in 0..<3 { try await spool.add(entry(number), run: "r") }
            #expect(await !spool.remove("r", taken: 2))
            #expect(await spool.entries("r").count == 3)
            #expect(await spool.remove("r", taken: 3))
            #expect(await spool.isEmpty("r"))
        }
    }

    @Test func `a run keeps no more than its limit and no half line`() async throws {
        try await with(maxBytes: 100) { spool, _ in
            try await spool.add(entry(1), run: "r")
            try await spool.add(entry(2), run: "r")
            await #expect(throws: TrackingSpool.Failure.self) { try await spool.add(entry(3), run: "r") }
            #expect(await spool.entries("r") == [entry(1), entry(2)])
            await #expect(throws: TrackingSpool.Failure.self) { try await spool.add(entry(3), run: "../r") }
        }
    }

    @Test func `while the server is away what a run reports waits on disk`() async throws {
        try await with { spool, _ in
            let client = away(spool)
            try await client.logBatch(run: "r", metrics: [Metric("m", 1, timestamp: 2)])
            try await client.finish(run: "r", status: .finished, endTime: 3)
            let waiting = await spool.entries("r")
            #expect(waiting.map(\.route) == ["runs/log-batch", "runs/update"])
            await #expect(throws: TrackingFailure.self) { try await client.replay() }
            #expect(await spool.entries("r") == waiting)
            // What cannot be said twice is not kept.
            await #expect(throws: TrackingFailure.self) { try await client.createRun(experiment: "0", name: "x", startTime: 1) }
        }
    }
}
