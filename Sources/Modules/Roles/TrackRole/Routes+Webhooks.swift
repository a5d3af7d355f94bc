import Domain
import Registry
import Tracking
import Web

extension Route {
    static let webhooks: [Route] = [
        Route(.post, path: "webhooks") { service, arguments in
            let change = try change(arguments)
            guard let url = change.url else { throw arguments.missing("url") }
            guard change.name != nil else { throw arguments.missing("name") }
            guard change.events != nil else { throw arguments.missing("events") }
            try await service.webhooks.check(url)
            let webhook = try await service.webhooks.store.create(change, now: service.now())
            return .message("webhook") { $0.webhook(webhook) }
        },
        Route(.get, path: "webhooks") { service, arguments in
            let page = try await service.webhooks.store.list(
                maxResults: Validation.maxResults(arguments.optionalInt("max_results"), default: 100, limit: 1_000),
                pageToken: arguments.optionalText("page_token"))
            return .object { writer in
                writer.list("webhooks", page.elements) { $0.webhook($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.get, path: "webhooks/{webhook_id}") { service, arguments in
            let webhook = try await service.webhooks.store.webhook(id: arguments.text("webhook_id"))
            return .message("webhook") { $0.webhook(webhook) }
        },
        Route(.patch, path: "webhooks/{webhook_id}") { service, arguments in
            let change = try change(arguments)
            if let url = change.url { try await service.webhooks.check(url) }
            let webhook = try await service.webhooks.store.update(id: arguments.text("webhook_id"), change, now: service.now())
            return .message("webhook") { $0.webhook(webhook) }
        },
        Route(.delete, path: "webhooks/{webhook_id}") { service, arguments in
            try await service.webhooks.store.delete(id: arguments.text("webhook_id"))
            return .empty
        },
        Route(.post, path: "webhooks/{webhook_id}/test") { service, arguments in
            let id = try arguments.text("webhook_id")
            let webhook = try await service.webhooks.store.webhook(id: id)
            let asked = arguments["event"] == nil ? nil : try event(arguments.object("event"))
            // A webhook has one event at least.
            guard let event = asked ?? webhook.events.first else { throw arguments.missing("event") }
            let outcome = await service.webhooks.test(webhook, event)
            return .message("result") { writer in
                writer.object { writer in
                    writer.field("success", outcome.isSuccess)
                    writer.field("response_status", outcome.status.map { Int64($0) })
                    writer.field("response_body", outcome.body)
                    writer.field("error_message", outcome.error)
                }
            }
        },
    ]

    private static func event(_ arguments: Arguments) throws(TrackingError) -> Webhook.Event {
        Webhook.Event(entity: try arguments.text("entity"), action: try arguments.text("action"))
    }

    private static func change(_ arguments: Arguments) throws(TrackingError) -> WebhookStore.Change {
        var change = WebhookStore.Change()
        change.name = try arguments.optionalText("name")
        change.description = try arguments.optionalText("description")
        change.url = try arguments.optionalText("url")
        change.secret = try arguments.optionalText("secret")
        if arguments["events"] != nil {
            change.events = try arguments.objects("events", event)
        }
        if let value = arguments["status"] {
            guard let status = value.string.flatMap({ Webhook.Status(rawValue: $0) }) else { throw arguments.invalid(value, "status") }
            change.status = status
        }
        return change
    }
}

extension JSONWriter {
    mutating func webhook(_ webhook: Webhook) {
        object { writer in
            writer.field("webhook_id", webhook.id)
            writer.field("name", webhook.name)
            if !webhook.description.isEmpty { writer.field("description", webhook.description) }
            writer.field("url", webhook.url)
            writer.list("events", webhook.events) { writer, event in
                writer.object { writer in
                    writer.field("entity", event.entity)
                    writer.field("action", event.action)
                }
            }
            writer.field("status", webhook.status.rawValue)
            writer.field("creation_timestamp", webhook.createdAt)
            writer.field("last_updated_timestamp", webhook.updatedAt)
        }
    }
}
