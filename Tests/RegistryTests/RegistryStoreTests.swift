import Domain
import Foundation
import Testing
import Tracking

@testable import Registry

@Suite struct RegistryStoreTests {
    private final class Fixture: Sendable {
        let registry: RegistryStore
        private let directory: String

        init() async throws {
            directory = FileManager.default.temporaryDirectory.appending(path: "registry-\(UUID().uuidString)").path
            registry = RegistryStore(
                database: try await TrackingDatabase.open(
                    path: directory + "/t.sqlite", migrations: TrackingSchema.migrations + RegistrySchema.migrations))
        }

        deinit { try? FileManager.default.removeItem(atPath: directory) }

        /// A model with some versions.
        func model(_ name: String, versions: Int) async throws {
            _ = try await registry.createModel(name: name, now: 1)
            for index in 0..<versions {
                _ = try await registry.createVersion(.init(model: name, source: "runs:/r\(index)/model"), now: Int64(10 + index))
            }
        }
    }

    private func refusal<Value>(_ body: () async throws -> Value) async -> TrackingError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? TrackingError)?.code
        }
    }

    @Test func `versions count from 1 and a number is never used twice`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 2)
        _ = try await fixture.registry.deleteVersion(model: "m", number: 2, promotion: Promotion(), now: 20)
        let next = try await fixture.registry.createVersion(.init(model: "m", source: "runs:/x/model"), now: 21)
        #expect(next.number == 3)
        #expect(await refusal { try await fixture.registry.version(model: "m", number: 2) } == .doesNotExist)
    }

    @Test func `a model is made once`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 0)
        #expect(await refusal { try await fixture.registry.createModel(name: "m", now: 2) } == .alreadyExists)
    }

    @Test func `every move of an alias is kept with who, why and the numbers`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 2)
        let first = Promotion(actor: "train", reason: "first", verdict: nil)
        let second = Promotion(actor: "ada", reason: "better", verdict: #"{"lower":0.1}"#)
        try await fixture.registry.setAlias(model: "m", alias: "champion", number: 1, promotion: first, now: 30)
        try await fixture.registry.setAlias(model: "m", alias: "champion", number: 2, promotion: second, now: 40)
        #expect(try await fixture.registry.version(model: "m", alias: "champion").number == 2)
        #expect(try await fixture.registry.deleteAlias(model: "m", alias: "champion", promotion: Promotion(), now: 50))
        #expect(try await fixture.registry.deleteAlias(model: "m", alias: "champion", promotion: Promotion(), now: 60) == false)
        #expect(
            try await fixture.registry.promotions(model: "m") == [
                PromotionRecord(model: "m", alias: "champion", previous: 2, number: nil, promotion: Promotion(), time: 50),
                PromotionRecord(model: "m", alias: "champion", previous: 1, number: 2, promotion: second, time: 40),
                PromotionRecord(model: "m", alias: "champion", previous: nil, number: 1, promotion: first, time: 30),
            ])
    }

    @Test func `a move that is sent again because its answer was lost is in the audit once`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 2)
        func move(_ number: Int, _ promotion: Promotion, _ now: Int64, alias: String = "champion") async throws -> [Int64] {
            try await fixture.registry.setAlias(model: "m", alias: alias, number: number, promotion: promotion, now: now)
            return try await fixture.registry.promotions(model: "m").map(\.time)
        }
        let ada = Promotion(actor: "ada", reason: "better", verdict: "{}")
        #expect(try await move(1, ada, 30) == [30])
        #expect(try await move(1, ada, 31) == [30])
        // Anything else about it makes it another one.
        #expect(try await move(1, Promotion(actor: "bob", reason: "better", verdict: "{}"), 32) == [32, 30])
        #expect(try await move(1, Promotion(actor: "bob", reason: "sure", verdict: "{}"), 33) == [33, 32, 30])
        #expect(try await move(1, Promotion(actor: "bob", reason: "sure"), 34) == [34, 33, 32, 30])
        #expect(try await move(1, ada, 35, alias: "other") == [35, 34, 33, 32, 30])
        #expect(try await move(2, ada, 36) == [36, 35, 34, 33, 32, 30])
        #expect(try await move(1, ada, 37) == [37, 36, 35, 34, 33, 32, 30])
        _ = try await fixture.registry.deleteAlias(model: "m", alias: "champion", promotion: ada, now: 38)
        _ = try await fixture.registry.deleteAlias(model: "m", alias: "champion", promotion: ada, now: 39)
        #expect(try await move(1, ada, 40).prefix(3) == [40, 38, 37])
    }

    @Test func `an alias of nothing is refused as clients expect`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 1)
        #expect(await refusal { try await fixture.registry.version(model: "m", alias: "old") } == .invalidParameter)
        #expect(await refusal { try await fixture.registry.version(model: "nope", alias: "old") } == .doesNotExist)
        #expect(
            await refusal { try await fixture.registry.setAlias(model: "m", alias: "a", number: 9, promotion: Promotion(), now: 1) }
                == .doesNotExist)
        #expect(try await fixture.registry.promotions(model: "m").isEmpty)
    }

    @Test func `deleting a version takes its aliases and tags with it`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 1)
        try await fixture.registry.setAlias(model: "m", alias: "champion", number: 1, promotion: Promotion(), now: 2)
        _ = try await fixture.registry.deleteVersion(model: "m", number: 1, promotion: Promotion(), now: 3)
        #expect(await refusal { try await fixture.registry.version(model: "m", alias: "champion") } == .invalidParameter)
        #expect(try await fixture.registry.model(name: "m").aliases.isEmpty)
    }

    @Test func `a renamed model keeps versions, aliases and audit`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 2)
        try await fixture.registry.setAlias(model: "m", alias: "champion", number: 1, promotion: Promotion(reason: "r"), now: 2)
        _ = try await fixture.registry.renameModel(name: "m", to: "n", now: 3)
        #expect(try await fixture.registry.version(model: "n", alias: "champion").number == 1)
        #expect(try await fixture.registry.promotions(model: "n").map(\.promotion.reason) == ["r"])
        #expect(await refusal { try await fixture.registry.model(name: "m") } == .doesNotExist)
    }

    @Test(arguments: [
        ("champion", true), ("a-b_C1", true), ("v", true), ("version1", true), ("vx1", true), ("", false), ("latest", false),
        ("Latest", false),
        ("v1", false), ("V23", false), ("a b", false), ("a/b", false), ("a.b", false),
    ])
    func `an alias is a word that clients do not read as something else`(alias: String, isAllowed: Bool) {
        #expect(((try? RegistryValidation.alias(alias)) != nil) == isAllowed)
    }

    @Test(arguments: [
        ("runs:/abc/model", "abc", true), ("runs:/abc/model", "", true), ("models:/m-1", "", true),
        ("mlflow-artifacts:/1/r/artifacts/model", "r", true),
        ("s3://bucket/model", "", true), ("runs:/abc/model", "other", false), ("/etc/passwd", "", false), ("file:///etc", "", false),
        ("file:/etc", "", false),
        ("C:\\x", "", false), ("runs:/abc/../x", "abc", false), ("runs:/abc/%2e%2e/x", "abc", false), ("s3://b/%252e%252e/x", "", false),
        ("http:///#/../../etc", "", false), ("s3://b/a%00b", "", false), ("relative/path", "", false), ("", "", false),
    ])
    func `a source leads nowhere near the server's own files`(source: String, run: String, isAllowed: Bool) {
        #expect(((try? RegistryValidation.source(source, run: run)) != nil) == isAllowed)
    }

    @Test(arguments: ["", "a/b", "a:b", "..", String(repeating: "x", count: 257)])
    func `a model's name is no path`(name: String) async throws {
        let fixture = try await Fixture()
        #expect(await refusal { try await fixture.registry.createModel(name: name, now: 1) } == .invalidParameter)
    }

    @Test func `the newest version of each stage is the latest`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 4)
        _ = try await fixture.registry.setStage(model: "m", number: 1, "production", archivesOthers: false, now: 20)
        _ = try await fixture.registry.setStage(model: "m", number: 2, "Production", archivesOthers: true, now: 21)
        #expect(try await fixture.registry.latestVersions(model: "m", stages: []).map(\.number) == [4, 2, 1])
        #expect(try await fixture.registry.latestVersions(model: "m", stages: ["Archived"]).map(\.number) == [1])
        #expect(await refusal { try await fixture.registry.latestVersions(model: "m", stages: ["x"]) } == .invalidParameter)
    }

    @Test(arguments: [
        ("name = 'a'", [1, 2]), ("name LIKE 'b%'", [1]), ("name = 'a' AND version_number > 1", [2]), ("run_id = 'r'", [1]),
        ("tags.k = 'v'", [1]), ("source_path LIKE '%/r0/%'", [1, 1]), ("tags.`mlflow.prompt.is_prompt` != 'true'", [1, 1, 2]),
    ])
    func `versions are found by what they are`(filter: String, numbers: [Int]) async throws {
        let fixture = try await Fixture()
        try await fixture.model("a", versions: 2)
        var new = RegistryStore.NewVersion(model: "b", source: "runs:/r/r0/m")
        new.run = "r"
        new.tags = [KeyValue("k", "v")]
        _ = try await fixture.registry.createModel(name: "b", now: 1)
        _ = try await fixture.registry.createVersion(new, now: 5)
        #expect(try await fixture.registry.searchVersions(filter: filter).elements.map(\.number).sorted() == numbers)
    }

    @Test func `models are found by name and tag, prompts left out`() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.registry.createModel(name: "m1", tags: [KeyValue("team", "x")], now: 1)
        _ = try await fixture.registry.createModel(name: "m2", tags: [KeyValue("mlflow.prompt.is_prompt", "true")], now: 1)
        let search = "tag.`mlflow.prompt.is_prompt` != 'true'"
        #expect(try await fixture.registry.searchModels(filter: search).elements.map(\.name) == ["m1"])
        #expect(try await fixture.registry.searchModels(filter: "tags.team != 'x'").elements.isEmpty)
        #expect(try await fixture.registry.searchModels(order: ["name DESC"]).elements.map(\.name) == ["m1"])
        #expect(try await fixture.registry.searchModels(includesPrompts: true).elements.map(\.name) == ["m1", "m2"])
    }

    @Test func `an event tells what happened to which version and why`() {
        let event = RegistryEvent(
            .aliasSet, model: "m", number: 2, alias: "champion", time: 5, promotion: Promotion(actor: "a", reason: "b"))
        #expect(
            String(decoding: event.json, as: UTF8.self)
                == #"{"event":"model_version_alias.created","model":"m","version":"2","alias":"champion","at_ms":5,"actor":"a","reason":"b"}"#
        )
        #expect(event.record.key == Array("m".utf8))
    }

    @Test func `rolling back goes one further back each time, and never to what was left`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 4)
        for number in [1, 2, 3] {
            try await fixture.registry.setAlias(model: "m", alias: "a", number: number, promotion: Promotion(reason: "better"), now: 20)
        }
        let back = Promotion(actor: "ann", reason: "worse in production")
        let registry = fixture.registry
        #expect(try await registry.rollback(model: "m", alias: "a", promotion: back, now: 30).number == 2)
        #expect(try await registry.rollback(model: "m", alias: "a", promotion: back, now: 30).number == 1)
        await #expect(throws: TrackingError.self) { try await registry.rollback(model: "m", alias: "a", promotion: back, now: 30) }
        try await fixture.registry.setAlias(model: "m", alias: "a", number: 4, promotion: Promotion(reason: "new"), now: 40)
        #expect(try await registry.rollback(model: "m", alias: "a", promotion: back, now: 50).number == 1)
        let audit = try await fixture.registry.promotions(model: "m")
        #expect(audit.count == 7 && audit[0].previous == 4 && audit[0].promotion.actor == "ann")
        #expect(audit[0].promotion.reason == "rollback: worse in production")
    }

    @Test func `a version that was deleted is passed over on the way back`() async throws {
        let fixture = try await Fixture()
        try await fixture.model("m", versions: 3)
        for number in [1, 2, 3] {
            try await fixture.registry.setAlias(model: "m", alias: "a", number: number, promotion: Promotion(), now: 20)
        }
        _ = try await fixture.registry.deleteVersion(model: "m", number: 2, promotion: Promotion(), now: 21)
        #expect(try await fixture.registry.rollback(model: "m", alias: "a", promotion: Promotion(), now: 30).number == 1)
    }
}
