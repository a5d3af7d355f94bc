import Foundation
import Testing
import Tracking

@testable import Registry

@Suite final class PromptTests {
    private let path = FileManager.default.temporaryDirectory.appending(path: "prompts-\(UUID().uuidString).sqlite").path
    private static let isPrompt = KeyValue("mlflow.prompt.is_prompt", "true")

    deinit { for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) } }

    private func registry() async throws -> RegistryStore {
        let registry = RegistryStore(
            database: try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations + RegistrySchema.migrations))
        _ = try await registry.createModel(name: "model", now: 1)
        _ = try await registry.createVersion(.init(model: "model", source: "runs:/r/m"), now: 2)
        _ = try await registry.createModel(name: "prompt", tags: [Self.isPrompt], now: 1)
        var new = RegistryStore.NewVersion(model: "prompt", source: "dummy-source")
        new.tags = [Self.isPrompt, KeyValue("mlflow.prompt.text", "Hi {{who}}"), KeyValue("by", "ann")]
        _ = try await registry.createVersion(new, now: 3)
        return registry
    }

    // As MLflow's server answers the same filters.
    @Test(arguments: [
        ("", ["model"]), ("tags.`mlflow.prompt.is_prompt` = 'true'", ["prompt"]), ("tag.`mlflow.prompt.is_prompt` != 'true'", ["model"]),
        ("tags.`mlflow.prompt.is_prompt` = 'false'", ["model"]), ("tags.`mlflow.prompt.is_prompt` != 'false'", ["prompt"]),
        ("name LIKE '%o%'", ["model"]), ("name LIKE 'p%' AND tags.`mlflow.prompt.is_prompt` = 'true'", ["prompt"]), ("name = 'prompt'", []),
    ])
    func `searches leave prompts out unless the filter asks for them`(filter: String, names: [String]) async throws {
        let registry = try await registry()
        #expect(try await registry.searchModels(filter: filter).elements.map(\.name) == names)
        #expect(try await registry.searchVersions(filter: filter).elements.map(\.model) == names)
    }

    @Test func `whoever writes everything down gets prompts too`() async throws {
        let registry = try await registry()
        #expect(try await registry.searchModels(includesPrompts: true).elements.map(\.name) == ["model", "prompt"])
        #expect(try await registry.searchVersions(includesPrompts: true).elements.count == 2)
    }

    @Test func `a prompt states a source that stands for none, and a model may not`() async throws {
        let registry = try await registry()
        for source in ["runs:/r/m", "mlflow-artifacts:/0/r/artifacts", "file:///etc/passwd"] {
            var new = RegistryStore.NewVersion(model: "prompt", source: source)
            new.tags = [Self.isPrompt]
            await #expect(throws: TrackingError.self) { try await registry.createVersion(new, now: 4) }
        }
        await #expect(throws: TrackingError.self) {
            try await registry.createVersion(.init(model: "model", source: "dummy-source"), now: 4)
        }
        #expect(try await registry.isPrompt("prompt"))
        #expect(try await !registry.isPrompt("model"))
    }

    @Test func `a change of a prompt is told in the words for prompts, without the tags that make it one`() async throws {
        let version = try await registry().version(model: "prompt", number: 1)
        let event = RegistryEvent(.versionCreated, model: "prompt", number: 1, time: 5, details: RegistryEvent.Details(version)).ofPrompt
        #expect(event?.kind == .promptVersionCreated && event?.details.template == "Hi {{who}}")
        #expect(event?.details.tags == [KeyValue("by", "ann")])
        #expect(RegistryEvent(.aliasSet, model: "prompt", time: 5).ofPrompt?.kind.rawValue == "prompt_alias.created")
        #expect(RegistryEvent(.versionDeleted, model: "prompt", time: 5).ofPrompt == nil)
    }
}
