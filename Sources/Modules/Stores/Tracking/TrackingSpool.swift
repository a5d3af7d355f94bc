import Dispatch
import Foundation
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
package final class TrackingSpool: Sendable {
    /// A request below the API's prefix.
    struct Entry: Sendable, Equatable {
        let route: String
        let body: [UInt8]
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let directory: String
    private let maxBytes: Int
    // File calls follow one another here, away from the cooperative threads.
    private let queue = DispatchQueue(label: "tracking-spool")

    /// - Parameters:
    ///   - directory: Made when there is something to keep.
    ///   - maxBytes: Of one run; what does not fit is refused, so that a server that stays away does not fill the disk.
    package init(directory: String, maxBytes: Int = 256 << 20) {
        self.directory = directory
        self.maxBytes = maxBytes
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
        let line = JSONWriter.object { writer in
            writer.field("route", entry.route)
            writer.key("body")
            writer.raw(entry.body)
        }
        let result: Result<Void, Failure> = await onQueue { [self] in
            do throws(Failure) {
                try append(line + [UInt8(ascii: "\n")], to: run)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func append(_ bytes: [UInt8], to run: String) throws(Failure) {
        guard Validation.isIdentifier(run, limit: 256) else { throw Failure(description: "'\(Validation.shown(run))' is no run") }
        mkdir(directory, 0o700)
        let file = open(path(run), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure(run) }
        defer { close(file) }
        flock(file, LOCK_EX)
        let size = lseek(file, 0, SEEK_END)
        guard Int(size) + bytes.count <= maxBytes else {
            throw Failure(description: "\(path(run)) holds \(maxBytes) bytes already: the tracking server has been away too long")
        }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(file, $0.baseAddress.map { $0 + written }, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                let error = failure(run)
                // Half a line would spoil the next one.
                ftruncate(file, size)
                throw error
            }
            written += count
        }
        guard fsync(file) == 0 else { throw failure(run) }
    }

    private func failure(_ run: String) -> Failure { Failure(description: "\(path(run)): \(String(cString: strerror(errno)))") }

    /// What waits, in order. A last line that a crash cut short was never acknowledged and is left out.
    func entries(_ run: String) async -> [Entry] {
        await onQueue { [path = path(run)] in
            guard let data = FileManager.default.contents(atPath: path) else { return [] }
            var entries: [Entry] = []
            for line in Array(data).split(separator: UInt8(ascii: "\n")) {
                guard let json = try? JSONReader.read(line), let route = json["route"]?.string, let body = json["body"] else { continue }
                var writer = JSONWriter()
                writer.value(body)
                entries.append(Entry(route: route, body: writer.bytes))
            }
            return entries
        }
    }

    /// Forgets a run's requests once the server has taken `count` of them, unless more have come meanwhile.
    /// - Returns: Whether nothing waits any more.
    func remove(_ run: String, taken count: Int) async -> Bool {
        let left = await entries(run).count
        guard left <= count else { return false }
        return await onQueue { [path = path(run)] in unlink(path) == 0 || errno == ENOENT }
    }

    /// Takes what waits of a run out of the way for good: the server has refused it.
    func setAside(_ run: String) async {
        await onQueue { [path = path(run)] in _ = rename(path, path + ".refused") }
    }

    private func onQueue<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: body()) } }
    }
}
