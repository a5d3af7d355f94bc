import Registry
import Testing
import Tracking
import Web

@testable import TrackRole

@Suite struct WebhookPayloadTests {
    private static let names = ["name"], version = ["name", "version"]

    // The fields are those of MLflow's server, event by event.
    @Test(arguments: [
        ("REGISTERED_MODEL", "CREATED", ["name", "tags", "description"]),
        ("MODEL_VERSION", "CREATED", ["name", "version", "source", "run_id", "tags", "description"]),
        ("MODEL_VERSION_TAG", "SET", ["name", "version", "key", "value"]), ("MODEL_VERSION_TAG", "DELETED", ["name", "version", "key"]),
        ("MODEL_VERSION_ALIAS", "CREATED", ["name", "version", "alias"]), ("MODEL_VERSION_ALIAS", "DELETED", ["name", "alias"]),
        ("PROMPT", "CREATED", ["name", "tags", "description"]),
        ("PROMPT_VERSION", "CREATED", ["name", "version", "template", "tags", "description"]),
        ("PROMPT_TAG", "SET", ["name", "key", "value"]), ("PROMPT_TAG", "DELETED", ["name", "key"]),
        ("PROMPT_VERSION_TAG", "SET", ["name", "version", "key", "value"]), ("PROMPT_VERSION_TAG", "DELETED", ["name", "version", "key"]),
        ("PROMPT_ALIAS", "CREATED", ["name", "version", "alias"]), ("PROMPT_ALIAS", "DELETED", ["name", "alias"]),
        (
            "BUDGET_POLICY", "EXCEEDED",
            [
                "budget_policy_id", "budget_unit", "budget_amount", "current_spend", "duration_unit", "duration_value", "target_scope",
                "workspace", "target_value", "window_start",
            ]
        ),
    ])
    func `a test sends the fields of the event that it is for`(entity: String, action: String, fields: [String]) throws {
        #expect(Webhook.Event.known[entity]?.contains(action) == true)
        let sent = try JSONReader.read(WebhookPayload.example(Webhook.Event(entity: entity, action: action), now: 0))
        #expect(sent["entity"]?.string == entity.lowercased() && sent["action"]?.string == action.lowercased())
        #expect(sent["timestamp"]?.string == "1970-01-01T00:00:00Z")
        #expect(Set(sent["data"]?.members?.map(\.key) ?? []) == Set(fields))
    }

    @Test func `what is not known of a version is null, and tags are a map`() throws {
        var details = RegistryEvent.Details()
        (details.source, details.run, details.description, details.tags) = ("s3://b/m", "", "", [KeyValue("a", "b")])
        let event = RegistryEvent(.versionCreated, model: "m", number: 2, time: 0, details: details)
        let data = try #require(try JSONReader.read(WebhookPayload.json(event))["data"])
        #expect(data["source"]?.string == "s3://b/m" && data["version"]?.string == "2" && data["tags"]?["a"]?.string == "b")
        #expect(data["run_id"] == .null && data["description"] == .null)
    }
}
