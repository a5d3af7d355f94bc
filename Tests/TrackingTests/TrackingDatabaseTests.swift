import Foundation
import GRDB
import Testing

@testable import Tracking

@Suite struct TrackingDatabaseTests {
    @Test(arguments: [(false, 1), (true, 2)])
    func `what was answered survives a loss of power when it is asked to`(isDurable: Bool, level: Int) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "tracking-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let database = try await TrackingDatabase.open(
            path: directory + "/t.sqlite", migrations: TrackingSchema.migrations, isDurable: isDurable)
        #expect(try await database.write { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == level)
        try database.close()
    }
}
