import Domain
import Foundation
import Testing
import Tracking

@testable import Registry

/// What is left of models and versions that are gone, and what a name that is given again knows of it.
@Suite struct DeletedModelTests {
    private func withRegistry(_ body: (RegistryStore) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "registry-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let migrations = TrackingSchema.migrations + RegistrySchema.migrations
        try await body(RegistryStore(database: try await TrackingDatabase.open(path: directory + "/t.sqlite", migrations: migrations)))
    }

    private func model(_ name: String, _ registry: RegistryStore, promotes: [Int]) async throws -> [Int] {
        _ = try await registry.createModel(name: name, now: 1)
        var numbers: [Int] = []
        for _ in 0..<2 { numbers.append(try await registry.createVersion(.init(model: name, source: "runs:/r/m"), now: 2).number) }
        for index in promotes {
            try await registry.setAlias(
                model: name, alias: "champion", number: numbers[index], promotion: Promotion(actor: "ada", reason: "r"), now: 3)
        }
        return numbers
    }

    @Test func `an alias that goes with its version or its model leaves a line in the audit`() async throws {
        try await withRegistry { registry in
            let numbers = try await model("m", registry, promotes: [0])
            try await registry.setAlias(model: "m", alias: "old", number: numbers[0], promotion: Promotion(), now: 4)
            try await registry.setAlias(model: "m", alias: "new", number: numbers[1], promotion: Promotion(), now: 5)
            let gone = try await registry.deleteVersion(model: "m", number: 1, promotion: Promotion(actor: "eve"), now: 6)
            #expect(gone.map(\.alias) == ["champion", "old"])
            #expect(gone.allSatisfy { $0.number == nil && $0.previous == 1 && $0.promotion.actor == "eve" && $0.time == 6 })
            #expect(gone.allSatisfy { $0.promotion.reason == "the version was deleted" })
            let last = try await registry.deleteModel(name: "m", promotion: Promotion(actor: "eve", reason: "over"), now: 7)
            #expect(last.map(\.alias) == ["new"] && last.first?.promotion.reason == "over")
            #expect(try await registry.promotions(model: "m").prefix(3).map(\.alias) == ["new", "old", "champion"])
        }
    }

    @Test func `a model of the same name goes on counting and goes back to nothing of the old one`() async throws {
        try await withRegistry { registry in
            #expect(try await model("m", registry, promotes: [0, 1]) == [1, 2])
            _ = try await registry.deleteModel(name: "m", promotion: Promotion(), now: 4)
            // Never promoted, but numbers 1 and 2 were.
            #expect(try await model("m", registry, promotes: [1]) == [3, 4])
            await #expect(throws: TrackingError.self) {
                _ = try await registry.rollback(model: "m", alias: "champion", promotion: Promotion(), now: 5)
            }
            #expect(try await registry.version(model: "m", alias: "champion").number == 4)
            #expect(try await registry.promotions(model: "m", onto: 1).isEmpty)
            #expect(try await registry.promotions(model: "m", onto: 4).count == 1)
            // The audit of the name still tells the whole story.
            #expect(try await registry.promotions(model: "m").map(\.number) == [4, nil, 2, 1])
            try await registry.setAlias(model: "m", alias: "champion", number: 3, promotion: Promotion(), now: 6)
            #expect(try await registry.rollback(model: "m", alias: "champion", promotion: Promotion(), now: 7).number == 4)
        }
    }

    @Test func `a model that takes the name of a deleted one keeps its own past`() async throws {
        try await withRegistry { registry in
            _ = try await model("a", registry, promotes: [0])
            _ = try await model("b", registry, promotes: [1])
            _ = try await registry.deleteModel(name: "b", promotion: Promotion(), now: 4)
            _ = try await registry.renameModel(name: "a", to: "b", now: 5)
            #expect(try await registry.promotions(model: "b", onto: 1).count == 1)
            #expect(try await registry.promotions(model: "b", onto: 2).isEmpty)
            await #expect(throws: TrackingError.self) {
                _ = try await registry.rollback(model: "b", alias: "champion", promotion: Promotion(), now: 6)
            }
            #expect(try await registry.createVersion(.init(model: "b", source: "runs:/r/m"), now: 7).number == 3)
            #expect(try await model("a", registry, promotes: []) == [3, 4])
        }
    }
}
