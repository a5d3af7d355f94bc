import Foundation
import Logging
import Synchronization
import Testing
import Web

@testable import Tracking

#if canImport(Glibc)
import Glibc
#endif

/// What was logged, for tests.
final class Said: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(said: self) } }

    private struct Handler: LogHandler {
        let said: Said
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            said.lines.withLock { $0.append("\(event.level) \(event.message) \(event.metadata.map { "\($0)" } ?? "")") }
        }
    }
}

extension TrackingSpool {
    /// All that waits of a run.
    func entries(_ run: String) async throws -> [Entry] {
        var entries: [Entry] = [], end = 0
        while case let lines = try await batch(run, from: end).lines, let last = lines.last {
            entries += lines.compactMap(\.entry)
            end = last.end
        }
        return entries
    }
}

@Suite struct TrackingSpoolTests {
    private let said = Said()

    private func with(maxBytes: Int = 1 << 20, _ body: (TrackingSpool, String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "spool-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // Pieces so small that most lines need to be asked for twice.
        try await body(TrackingSpool(directory: directory, maxBytes: maxBytes, pieceBytes: 16, logger: said.logger), directory)
    }

    private func entry(_ number: Int) -> TrackingSpool.Entry { .init(route: "runs/log-batch", body: Array(#"{"n":\#(number)}"#.utf8)) }

    private func client(_ url: String, _ spool: TrackingSpool, find: (@Sendable () async -> JSONClient?)? = nil) -> TrackingClient {
        TrackingClient(http: JSONClient(baseURL: url, retry: .none), spool: spool, find: find)
    }

    private func append(_ text: String, to path: String) throws {
        let file = try #require(FileHandle(forWritingAtPath: path))
        _ = try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }

    @Test func `what is kept comes back in order, whatever the size of a piece`() async throws {
        try await with { spool, directory in
            for number in 0..<40 { try await spool.add(entry(number), run: "r1") }
            try await spool.add(entry(9), run: "r2")
            let whole = TrackingSpool(directory: directory)
            #expect(try await spool.entries("r1") == (0..<40).map(entry))
            #expect(try await whole.entries("r1") == (0..<40).map(entry))
            #expect(await spool.runs() == ["r1", "r2"])
        }
    }

    @Test func `a last line that a crash cut short is told and spoils nothing that comes after it`() async throws {
        try await with { spool, directory in
            for number in 0..<2 { try await spool.add(entry(number), run: "r") }
            try append(#"{"route":"runs/log-batch","bo"#, to: directory + "/r.jsonl")
            try await spool.add(entry(2), run: "r")
            #expect(try await spool.entries("r") == (0..<3).map(entry))
            #expect(said.all.count { $0.contains("cut short") && $0.contains("29") } == 1)
            try append("x", to: directory + "/r.jsonl")
            let end = try #require(try await TrackingSpool(directory: directory, logger: said.logger).batch("r").lines.last?.end)
            #expect(said.all.count { $0.contains("cut short") } == 2)
            #expect(try await spool.remove("r", upTo: end))
            #expect(await spool.isEmpty("r"))
        }
    }

    @Test func `a torn line alone is a run with nothing to say`() async throws {
        try await with { spool, directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try Data(String(repeating: "x", count: 200_000).utf8).write(to: URL(filePath: directory + "/r.jsonl"))
            #expect(try await spool.entries("r").isEmpty)
            #expect(try await spool.remove("r", upTo: 0))
        }
    }

    @Test func `a run is forgotten only when all of it was taken`() async throws {
        try await with { spool, directory in
            for number in 0..<3 { try await spool.add(entry(number), run: "r") }
            let ends = try await TrackingSpool(directory: directory).batch("r").lines.map(\.end)
            #expect(try await !spool.remove("r", upTo: ends[1]))
            #expect(try await spool.entries("r").count == 3)
            #expect(try await spool.remove("r", upTo: ends[2]))
            #expect(await spool.isEmpty("r"))
        }
    }

    @Test func `a run keeps no more than its limit and no half line`() async throws {
        try await with(maxBytes: 100) { spool, _ in
            try await spool.add(entry(1), run: "r")
            try await spool.add(entry(2), run: "r")
            await #expect(throws: TrackingSpool.Failure.self) { try await spool.add(entry(3), run: "r") }
            #expect(try await spool.entries("r") == [entry(1), entry(2)])
            await #expect(throws: TrackingSpool.Failure.self) { try await spool.add(entry(3), run: "../r") }
        }
    }

    #if os(Linux)
    /// Another process removes the file at the moment between our opening it and our adding to it.
    @Test func `what is added while the file is removed is in the next file`() async throws {
        try await with { spool, directory in
            try await spool.add(entry(0), run: "r")
            let path = directory + "/r.jsonl"
            let other = open(path, O_RDWR)
            defer { close(other) }
            #expect(flock(other, LOCK_EX) == 0)
            let adding = Task { [self] in try await spool.add(entry(1), run: "r") }
            func isOpenTwice() -> Bool {
                let links = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
                return links.count { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path } == 2
            }
            while !isOpenTwice() { try await Task.sleep(for: .milliseconds(1)) }
            #expect(unlink(path) == 0)
            #expect(flock(other, LOCK_UN) == 0)
            try await adding.value
            #expect(try await spool.entries("r") == [entry(1)])
        }
    }
    #endif

    @Test func `while the server is away what a run reports waits on disk`() async throws {
        try await with { spool, _ in
            // Nobody listens there.
            let client = client("http://127.0.0.1:1", spool)
            try await client.logBatch(run: "r", metrics: [Metric("m", 1, timestamp: 2)])
            try await client.finish(run: "r", status: .finished, endTime: 3)
            let waiting = try await spool.entries("r")
            #expect(waiting.map(\.route) == ["runs/log-batch", "runs/update"])
            await #expect(throws: TrackingFailure.self) { try await client.replay() }
            #expect(try await spool.entries("r") == waiting)
            // What cannot be said twice is not kept.
            await #expect(throws: TrackingFailure.self) { try await client.createRun(experiment: "0", name: "x", startTime: 1) }
        }
    }

    @Test(arguments: [
        (401, #"{"error_code":"UNAUTHENTICATED","message":"m"}"#), (403, #"{"error_code":"PERMISSION_DENIED","message":"m"}"#),
        (404, #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"m"}"#), (404, "nothing here"), (400, "<html>"), (503, ""),
        (200, "<login>"),
    ])
    func `what was acknowledged waits until the server takes it or refuses what it says`(status: Int, body: String) async throws {
        try await with { spool, directory in
            for number in 0..<3 { try await spool.add(entry(number), run: "r") }
            let server = try StubServer { _ in (status, body) }
            await #expect(throws: TrackingFailure.self) { try await client(server.url, spool).replay() }
            #expect(try await spool.entries("r") == (0..<3).map(entry))
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["r.jsonl"])
            let mended = try StubServer { _ in (200, "{}") }
            #expect(try await client(mended.url, spool).replay() == 3)
            #expect(mended.requests.map(\.body) == (0..<3).map { #"{"n":\#($0)}"# })
            #expect(await spool.isEmpty("r"))
        }
    }

    @Test func `only what the server refuses for what it says is put aside, once, and told`() async throws {
        try await with { spool, directory in
            for number in 0..<4 { try await spool.add(entry(number), run: "r") }
            try append("no json\n", to: directory + "/r.jsonl")
            let isAway = Mutex(true)
            let server = try StubServer { request in
                if request.body.contains("1") { return (400, #"{"error_code":"INVALID_PARAMETER_VALUE","message":"changed"}"#) }
                return request.body.contains("3") && isAway.withLock { $0 } ? (503, "") : (200, "{}")
            }
            let client = client(server.url, spool)
            for _ in 0..<2 { await #expect(throws: TrackingFailure.self) { try await client.replay() } }
            isAway.withLock { $0 = false }
            #expect(try await client.replay() == 3)
            #expect(await spool.isEmpty("r"))
            let aside = try String(contentsOfFile: directory + "/r.jsonl.refused", encoding: .utf8)
            #expect(aside == String(decoding: entry(1).line, as: UTF8.self) + "no json\n")
            #expect(said.all.contains { $0.contains("refuses") && $0.contains("changed") })
        }
    }

    @Test func `a token that is mended, and a server that moves, are taken up by a client that works`() async throws {
        try await with { spool, _ in
            let first = try StubServer {
                $0.authorization == "Bearer new" ? (200, "{}") : (401, #"{"error_code":"UNAUTHENTICATED","message":""}"#)
            }
            let second = try StubServer { _ in (200, "{}") }
            let found = Mutex<JSONClient?>(nil)
            let client = client(first.url, spool) { found.withLock { $0 } }
            try await client.logBatch(run: "r", tags: [("a", "1")])
            try await client.logBatch(run: "r", tags: [("a", "2")])
            #expect(try await spool.entries("r").count == 2)
            #expect(said.all.count { $0.contains("waits on disk") && $0.contains("UNAUTHENTICATED") } == 1)
            found.withLock { $0 = JSONClient(baseURL: first.url, bearer: "new", retry: .none) }
            try await client.logBatch(run: "r", tags: [("a", "3")])
            #expect(await spool.isEmpty("r"))
            let values = first.requests.filter { $0.authorization != nil }.compactMap { $0.body.firstMatch(of: /"value":"(\d)"/)?.1 }
            #expect(values == ["1", "2", "3"])
            let moved = TrackingClient(http: JSONClient(baseURL: "http://127.0.0.1:1", retry: .none), spool: spool) {
                JSONClient(baseURL: second.url, retry: .none)
            }
            _ = try? await moved.createRun(experiment: "0", name: "not sent twice unless it was not accepted", startTime: 1)
            try await moved.logBatch(run: "r", tags: [("a", "4")])
            #expect(moved.url == second.url)
            let asked = second.requests.map { $0.path.replacing("/api/2.0/mlflow/", with: "") }
            #expect(asked.last == "runs/log-batch")
        }
    }

    @Test func `a request about a run that is not there is told at once`() async throws {
        try await with { spool, _ in
            let server = try StubServer { _ in (404, #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"m"}"#) }
            await #expect(throws: TrackingFailure.self) { try await client(server.url, spool).logBatch(run: "r", tags: [("a", "1")]) }
            #expect(await spool.isEmpty("r"))
        }
    }
}
