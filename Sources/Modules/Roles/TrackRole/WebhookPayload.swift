import Domain
import Foundation
import Registry
import Tracking
import Web

/// What a webhook is sent: `{"entity":…,"action":…,"timestamp":…,"data":{…}}`.
///
/// The data of each event has the fields that MLflow's server sends; moves of aliases also say who asked and why.
enum WebhookPayload {
    static func json(_ event: RegistryEvent) -> [UInt8] {
        json(event.kind.rawValue, event.time) { writer in
            writer.field("name", event.model)
            writer.field("version", event.number.map { String($0) })
            writer.field("alias", event.alias)
            writer.field("actor", event.promotion?.actor)
            writer.field("reason", event.promotion?.reason)
            writer.field("key", event.details.key)
            writer.field("value", event.details.value)
            writer.field("source", event.details.source)
            if let run = event.details.run, event.kind != .promptVersionCreated { writer.field("run_id", orNull: run) }
            if event.kind == .promptVersionCreated { writer.field("template", orNull: event.details.template ?? "") }
            if let tags = event.details.tags { writer.map("tags", tags) }
            guard let description = event.details.description else { return }
            switch event.kind {
            case .versionCreated, .promptVersionCreated: writer.field("description", orNull: description)
            default: writer.field("description", description)
            }
        }
    }

    /// What a webhook's test sends for an event that it asked for.
    static func example(_ event: Webhook.Event, now: EventTime.Milliseconds) -> [UInt8] {
        guard let kind = RegistryEvent.Kind(rawValue: event.name) else {
            return json(event.name, now) { budget(&$0) }
        }
        let isPrompt = event.entity.hasPrefix("PROMPT")
        var details = RegistryEvent.Details()
        var number: Int? = 1, alias: String?
        switch kind {
        case .modelCreated, .promptCreated: (details, number) = (description(isPrompt), nil)
        case .versionCreated, .promptVersionCreated:
            details = description(isPrompt)
            if isPrompt {
                details.template = "Hello {{name}}!"
            } else {
                details.source = "models:/m-00000000000000000000000000000000"
                details.run = "00000000000000000000000000000000"
            }
        case .versionTagSet, .promptVersionTagSet: details = RegistryEvent.Details(key: "example_key", value: "example_value")
        case .versionTagDeleted, .promptVersionTagDeleted: details = RegistryEvent.Details(key: "example_key")
        case .promptTagSet: (details, number) = (RegistryEvent.Details(key: "example_key", value: "example_value"), nil)
        case .promptTagDeleted: (details, number) = (RegistryEvent.Details(key: "example_key"), nil)
        case .aliasSet, .promptAliasSet: alias = "example_alias"
        case .aliasDeleted, .promptAliasDeleted: (alias, number) = ("example_alias", nil)
        case .modelUpdated, .modelDeleted: number = nil
        case .versionUpdated, .versionDeleted: break
        }
        let model = isPrompt ? "example_prompt" : "example_model"
        return json(RegistryEvent(kind, model: model, number: number, alias: alias, time: now, details: details))
    }

    private static func description(_ isPrompt: Bool) -> RegistryEvent.Details {
        var details = RegistryEvent.Details()
        details.description = isPrompt ? "An example of a prompt" : "An example of a model"
        details.tags = [KeyValue("example_key", "example_value")]
        return details
    }

    /// Hooks may wait for budgets of gateways, which this server does not have; nothing but a test ever tells of one.
    private static func budget(_ writer: inout JSONWriter) {
        writer.field("budget_policy_id", "bp-example")
        writer.field("budget_unit", "USD")
        writer.field("budget_amount", 100.0)
        writer.field("current_spend", 105.5)
        writer.field("duration_unit", "MONTHS")
        writer.field("duration_value", Int64(1))
        writer.field("target_scope", "GLOBAL")
        writer.field("workspace", "default")
        writer.field("target_value", orNull: "")
        writer.field("window_start", Int64(0))
    }

    private static func json(_ name: String, _ time: EventTime.Milliseconds, _ data: (inout JSONWriter) -> Void) -> [UInt8] {
        let words = name.split(separator: ".")
        return JSONWriter.object { writer in
            writer.field("entity", words.first.map(String.init) ?? "")
            writer.field("action", words.last.map(String.init) ?? "")
            writer.field("timestamp", ISO8601DateFormatter().string(from: Date(timeIntervalSince1970: Double(time) / 1_000)))
            writer.key("data")
            writer.object { data(&$0) }
        }
    }
}

extension JSONWriter {
    /// Text, or `null` for none.
    fileprivate mutating func field(_ name: String, orNull text: String) {
        guard text.isEmpty else { return field(name, text) }
        key(name)
        null()
    }

    fileprivate mutating func map(_ name: String, _ pairs: [KeyValue]) {
        key(name)
        object { writer in for pair in pairs { writer.field(pair.key, pair.value) } }
    }
}
