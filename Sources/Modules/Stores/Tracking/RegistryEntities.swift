package import Domain

/// One version of a registered model, as store, server and client see it.
package struct RegisteredVersion: Sendable, Equatable {
    package let model: String
    /// Counts from 1 within a model.
    package let number: Int
    /// Where its files are: `mlflow-artifacts:/…`, `runs:/ID/path` or `models:/m-…`.
    package let source: String
    /// The run that made it; empty when none is named.
    package let runID: String
    /// The logged model it was made from, when there is one.
    package let modelID: String
    package let runLink: String
    package let user: String
    package let description: String
    /// `None`, `Staging`, `Production` or `Archived`: what clients used before aliases.
    package let stage: String
    package let creationTime: EventTime.Milliseconds
    package let lastUpdateTime: EventTime.Milliseconds
    /// Sorted by key.
    package let tags: [KeyValue]
    /// Sorted.
    package let aliases: [String]

    package init(
        model: String, number: Int, source: String, runID: String, modelID: String, runLink: String, user: String, description: String,
        stage: String, creationTime: EventTime.Milliseconds, lastUpdateTime: EventTime.Milliseconds, tags: [KeyValue], aliases: [String]
    ) {
        self.model = model
        self.number = number
        self.source = source
        self.runID = runID
        self.modelID = modelID
        self.runLink = runLink
        self.user = user
        self.description = description
        self.stage = stage
        self.creationTime = creationTime
        self.lastUpdateTime = lastUpdateTime
        self.tags = tags
        self.aliases = aliases
    }

    package var version: ModelVersion { ModelVersion(model: model, number: number) }

    package func tag(_ key: String) -> String? { tags.first { $0.key == key }?.value }
}

/// Why an alias moved: what the audit keeps and an event carries.
package struct Promotion: Sendable, Equatable {
    /// Who asked: a person, a token's name, a role.
    package var actor: String
    package var reason: String
    /// The gate's numbers as JSON text; `nil` when nobody judged.
    package var verdict: String?

    package init(actor: String = "", reason: String = "", verdict: String? = nil) {
        self.actor = actor
        self.reason = reason
        self.verdict = verdict
    }
}
