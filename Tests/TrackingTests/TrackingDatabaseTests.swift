import Foundation
import GRDB
import Testing

@testable import Tracking

@Suite struct TrackingDatabaseTests {
    private func with(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "tracking-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory + "/t.sqlite")
    }

    private func open(
        _ path: String, _ mode: TrackingDatabase.Mode = .owner, _ migrations: [TrackingDatabase.Migration] = TrackingSchema.migrations
    ) async throws -> TrackingDatabase {
        try await TrackingDatabase.open(path: path, mode: mode, migrations: migrations)
    }

    private func schema(_ database: TrackingDatabase) async throws -> [String] {
        try await database.read { try String.fetchAll($0, sql: "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name") }
    }

    @Test(arguments: [(false, 1), (true, 2)])
    func `what was answered survives a loss of power when it is asked to`(isDurable: Bool, level: Int) async throws {
        try await with { path in
            let database = try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations, isDurable: isDurable)
            #expect(try await database.write { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == level)
            try database.close()
        }
    }

    @Test(arguments: [TrackingDatabase.Mode.guest, .reader])
    func `who works beside the owner of a file neither migrates it nor reads what means something else`(
        mode: TrackingDatabase.Mode
    ) async throws {
        try await with { path in
            let older = TrackingSchema.migrations.dropLast()
            let owner = try await open(path, .owner, Array(older))
            let before = try await schema(owner)
            await #expect {
                _ = try await open(path, mode)
            } throws: { error in
                let error = error as? TrackingError
                return error?.code == .invalidState && error?.message.contains("older") == true
                    && error?.message.contains(TrackingSchema.migrations.last?.name ?? "?") == true
            }
            #expect(try await schema(owner) == before)
            // The owner itself brings it up to date; then the others may.
            try owner.close()
            try await open(path).close()
            try await open(path, mode).close()
            await #expect {
                _ = try await open(path, mode, Array(older))
            } throws: { error in
                (error as? TrackingError)?.message.contains("newer") == true
            }
        }
    }

    @Test func `a guest makes a file that is missing, a reader does not, and does not write`() async throws {
        try await with { path in
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            await #expect(throws: TrackingError.self) { try await open(path, .reader) }
            let guest = try await open(path, .guest)
            try await TrackingStore(database: guest).prepare(now: 1)
            try guest.close()
            let reader = try await open(path, .reader)
            #expect(try await TrackingStore(database: reader).experiment(id: "0").name == "Default")
            await #expect(throws: TrackingError.self) { try await TrackingStore(database: reader).createExperiment(name: "a", now: 1) }
            try reader.close()
        }
    }

    @Test func `a backup copies a file of any version, leaves it as it is and replaces nothing`() async throws {
        try await with { path in
            let owner = try await open(path, .owner, Array(TrackingSchema.migrations.dropLast()))
            try await owner.write { try $0.execute(sql: "INSERT INTO names (name) VALUES ('a')") }
            let before = try await schema(owner)
            // Somebody writes at this moment, and is not waited for.
            try await owner.write { db in
                try db.execute(sql: "INSERT INTO names (name) VALUES ('b')")
                let copied = DispatchSemaphore(value: 0)
                Task.detached {
                    try? await TrackingDatabase.backup(of: path, to: path + ".copy")
                    copied.signal()
                }
                copied.wait()
            }
            #expect(try await schema(owner) == before)
            let copy = try DatabaseQueue(path: path + ".copy")
            #expect(try await copy.read { try String.fetchAll($0, sql: "SELECT name FROM names WHERE name < 'c'") } == ["a"])
            #expect(
                try await copy.read { try String.fetchAll($0, sql: "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name") }
                    == before)
            await #expect(throws: TrackingError.self) { try await TrackingDatabase.backup(of: path, to: path + ".copy") }
            #expect(!FileManager.default.fileExists(atPath: path + ".copy.part"))
        }
    }
}
