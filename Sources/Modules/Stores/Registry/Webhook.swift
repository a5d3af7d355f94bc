package import Domain

/// An address that is told of changes in the registry. Its secret is never part of it.
package struct Webhook: Sendable, Equatable {
    package enum Status: String, Sendable, CaseIterable { case active = "ACTIVE", disabled = "DISABLED" }

    /// A kind of change, in the protocol's two words.
    package struct Event: Sendable, Hashable {
        package let entity: String
        package let action: String

        package init(entity: String, action: String) {
            self.entity = entity
            self.action = action
        }

        /// `model_version.created`
        package var name: String { entity.lowercased() + "." + action.lowercased() }

        /// Which actions there are for which entity.
        package static let known: [String: [String]] = [
            "REGISTERED_MODEL": ["CREATED", "UPDATED", "DELETED"], "MODEL_VERSION": ["CREATED", "UPDATED", "DELETED"],
            "MODEL_VERSION_TAG": ["SET", "DELETED"], "MODEL_VERSION_ALIAS": ["CREATED", "DELETED"], "PROMPT": ["CREATED"],
            "PROMPT_VERSION": ["CREATED"], "PROMPT_TAG": ["SET", "DELETED"], "PROMPT_VERSION_TAG": ["SET", "DELETED"],
            "PROMPT_ALIAS": ["CREATED", "DELETED"], "BUDGET_POLICY": ["EXCEEDED"],
        ]
    }

    package let id: String
    package let name: String
    package let description: String
    package let url: String
    package let events: [Event]
    package let status: Status
    package let createdAt: EventTime.Milliseconds
    package let updatedAt: EventTime.Milliseconds

    package init(
        id: String, name: String, description: String, url: String, events: [Event], status: Status, createdAt: EventTime.Milliseconds,
        updatedAt: EventTime.Milliseconds
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.url = url
        self.events = events
        self.status = status
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
