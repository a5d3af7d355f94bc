import Foundation
import GRDB

extension TrackingDatabase {
    /// Copies the whole database, as it is at one moment, into a new file; writers go on meanwhile.
    ///
    /// - Parameter path: Must not exist: a backup never replaces one.
    package func backup(to path: String) async throws(TrackingError) {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw TrackingError(.alreadyExists, "\(path) exists already; a backup never replaces a file")
        }
        let pending = path + ".part"
        try? FileManager.default.removeItem(atPath: pending)
        do {
            // One statement reads one snapshot, and writes a file without a log of its own.
            try await withoutTransaction { db in try db.execute(sql: "VACUUM INTO ?", arguments: [pending]) }
            try FileManager.default.moveItem(atPath: pending, toPath: path)
        } catch {
            try? FileManager.default.removeItem(atPath: pending)
            throw TrackingError(error)
        }
    }
}
