import Dispatch
import Foundation
package import Logging
import Synchronization
import Web

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a run had to say while its server was away, on disk until the server has taken it.
///
/// One file per run, one request per line, in order. Only requests that may be sent twice go here: metrics that are there
/// already are dropped by the server, parameters have one value, tags and states are said again in the same order. So a
/// replay that a crash cut short is begun anew from the first line, and nothing is lost and nothing doubled.
///
/// Several processes may work on one directory: each locks a file for as long as it reads, adds to or removes it.
package final class TrackingSpool: Sendable {
    /// A request below the API's prefix.
    struct Entry: Sendable, Equatable {
        let route: String
        let body: [UInt8]

        var line: [UInt8] {
            JSONWriter.object { writer in
                writer.field("route", route)
                writer.key("body")
                writer.raw(body)
            } + [.newline]
        }
    }

    /// A piece of what waits of a run.
    struct Batch: Sendable {
        struct Line: Sendable {
            let bytes: [UInt8]
            /// Where the next line begins, in bytes.
            let end: Int
            /// `nil` for a line that says nothing: somebody has changed the file.
            var entry: Entry? { Self.read(bytes) }

            private static func read(_ bytes: [UInt8]) -> Entry? {
                guard let json = try? JSONReader.read(bytes), let route = json["route"]?.string, let body = json["body"] else { return nil }
                var writer = JSONWriter()
                writer.value(body)
                return Entry(route: route, body: writer.bytes)
            }
        }

        var lines: [Line] = []
        var entries: [Entry] { lines.compactMap(\.entry) }
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let directory: String
    private let maxBytes: Int
    private let pieceBytes: Int
    let logger: Logger
    // File calls follow one another here, away from the cooperative threads.
    private let queue = DispatchQueue(label: "tracking-spool")
    /// Up to where lines of a run were put aside: a replay that begins anew does not put them there twice.
    private let asideUpTo = Mutex<[String: Int]>([:])

    /// - Parameters:
    ///   - directory: Made when there is something to keep.
    ///   - maxBytes: Of one run; what does not fit is refused, so that a server that stays away does not fill the disk.
    ///   - pieceBytes: How much is read at a time; a line that is longer is read whole.
    package init(
        directory: String, maxBytes: Int = 256 << 20, pieceBytes: Int = 1 << 20, logger: Logger = Logger(label: "track")
    ) {
        self.directory = directory
        self.maxBytes = maxBytes
        self.pieceBytes = pieceBytes
        self.logger = logger
    }

    private func path(_ run: String) -> String { directory + "/" + run + ".jsonl" }

    /// Runs that have something waiting.
    package func runs() async -> [String] {
        await onQueue { [directory] in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
            return names.filter { $0.hasSuffix(".jsonl") }.map { String($0.dropLast(6)) }.sorted()
        }
    }

    func isEmpty(_ run: String) async -> Bool { await onQueue { [path = path(run)] in access(path, F_OK) != 0 } }

    /// Keeps a request; it is on disk when this returns.
    func add(_ entry: Entry, run: String) async throws(Failure) {
        guard Validation.isIdentifier(run, limit: 256) else { throw Failure(description: "'\(Validation.shown(run))' is no run") }
        try await attempt { [self] () throws(Failure) in
            mkdir(directory, 0o700)
            guard let file = try open(run, creates: true) else { throw Failure(description: "\(path(run)) cannot be made") }
            guard file.size + entry.line.count <= maxBytes else {
                throw Failure(description: "\(path(run)) holds \(file.size) bytes already: the tracking server has been away too long")
            }
            try file.append(entry.line)
        }
    }

    /// What waits, in order, from a line's begin on: one piece of it, empty at the end.
    func batch(_ run: String, from start: Int = 0) async throws(Failure) -> Batch {
        try await attempt { [self] () throws(Failure) in
            guard let file = try open(run, creates: false) else { return Batch() }
            return try file.lines(from: start, pieceBytes: pieceBytes)
        }
    }

    /// Forgets a run's requests once the server has taken them up to `end`, unless more have come meanwhile.
    /// - Returns: Whether nothing waits any more.
    func remove(_ run: String, upTo end: Int) async throws(Failure) -> Bool {
        try await attempt { [self] () throws(Failure) in
            guard let file = try open(run, creates: false) else { return true }
            guard file.size <= end else { return false }
            // Locked: who waits to add finds out that this is no longer the run's file, and makes another.
            guard unlink(path(run)) == 0 || errno == ENOENT else { throw Failure.system(path(run)) }
            asideUpTo.withLock { $0[run] = nil }
            return true
        }
    }

    /// Keeps lines that the server has refused for good, or that nobody can read, beside what waits: `RUN.jsonl.refused`.
    /// After a crash they may stand there twice.
    func setAside(_ lines: [Batch.Line], run: String) async throws(Failure) {
        let known = asideUpTo.withLock { $0[run] ?? 0 }
        let new = lines.filter { $0.end > known }
        guard let last = new.last else { return }
        try await attempt { [self] () throws(Failure) in
            guard let file = try SpoolFile(path(run) + ".refused", creates: true) else { throw Failure.system(path(run)) }
            try file.append(new.flatMap { $0.bytes + [.newline] })
            asideUpTo.withLock { $0[run] = last.end }
        }
    }

    /// The run's file, locked and ending with a whole line.
    ///
    /// A last line without an end is what a process wrote when it was killed: it was never acknowledged, and what came
    /// after it would be lost with it. It is cut off and told.
    private func open(_ run: String, creates: Bool) throws(Failure) -> SpoolFile? {
        guard let file = try SpoolFile(path(run), creates: creates) else { return nil }
        let torn = try file.cut()
        if torn > 0 {
            logger.warning(
                "the last line of a run's spool was cut short when it was written, and is left out: it was not acknowledged",
                metadata: ["file": "\(path(run))", "bytes": "\(torn)"])
        }
        return file
    }

    private func attempt<Value: Sendable>(_ body: @escaping @Sendable () throws(Failure) -> Value) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await onQueue {
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private func onQueue<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: body()) } }
    }
}

extension UInt8 {
    static var newline: UInt8 { UInt8(ascii: "\n") }
}

extension TrackingSpool.Failure {
    /// Of the system call just made.
    static func system(_ path: String) -> Self { Self(description: "\(path): \(String(cString: strerror(errno)))") }
}
