import Foundation
import GRDB

extension TrackingDatabase {
    /// Copies a whole database, as it is at one moment, into a new file; writers go on meanwhile.
    ///
    /// It is only read, whatever program has written it: a backup is what one makes before another version starts.
    /// - Parameters:
    ///   - path: An SQLite file.
    ///   - copy: Must not exist: a backup never replaces one.
    package static func backup(of path: String, to copy: String) async throws(TrackingError) {
        guard !FileManager.default.fileExists(atPath: copy) else {
            throw TrackingError(.alreadyExists, "\(copy) exists already; a backup never replaces a file")
        }
        let pending = copy + ".part"
        try? FileManager.default.removeItem(atPath: pending)
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(10)
            let database = try DatabaseQueue(path: path, configuration: configuration)
            // One statement reads one snapshot, and writes a file without a log of its own.
            try await database.writeWithoutTransaction { db in try db.execute(sql: "VACUUM INTO ?", arguments: [pending]) }
            try database.close()
            let file = try FileHandle(forUpdating: URL(filePath: pending))
            try file.synchronize()
            try file.close()
            try FileManager.default.moveItem(atPath: pending, toPath: copy)
        } catch {
            try? FileManager.default.removeItem(atPath: pending)
            throw TrackingError(error)
        }
    }
}
