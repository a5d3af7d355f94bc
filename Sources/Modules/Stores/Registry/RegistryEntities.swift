package import Domain
package import Tracking

package struct RegisteredModel: Sendable, Equatable {
    package let name: String
    package let description: String
    package let user: String
    package let creationTime: EventTime.Milliseconds
    package let lastUpdateTime: EventTime.Milliseconds
    /// Sorted by key.
    package let tags: [KeyValue]
    /// Sorted by alias.
    package let aliases: [(alias: String, number: Int)]
    /// The newest version of each stage, newest first.
    package let latestVersions: [RegisteredVersion]

    package static func == (a: RegisteredModel, b: RegisteredModel) -> Bool {
        a.name == b.name && a.description == b.description && a.lastUpdateTime == b.lastUpdateTime && a.tags == b.tags
            && a.aliases.elementsEqual(b.aliases) { $0 == $1 } && a.latestVersions == b.latestVersions
    }
}

/// One line of the audit: an alias that moved, and why.
package struct PromotionRecord: Sendable, Equatable {
    package let model: String
    package let alias: String
    /// What the alias stood for before; `nil` when it was new.
    package let previous: Int?
    /// What it stands for now; `nil` when it was removed.
    package let number: Int?
    package let promotion: Promotion
    package let time: EventTime.Milliseconds
}

/// A change of the registry, as the topic `registry-events` tells it.
package struct RegistryEvent: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case modelCreated = "registered_model.created"
        case modelUpdated = "registered_model.updated"
        case modelDeleted = "registered_model.deleted"
        case versionCreated = "model_version.created"
        case versionUpdated = "model_version.updated"
        case versionDeleted = "model_version.deleted"
        case versionTagSet = "model_version_tag.set"
        case versionTagDeleted = "model_version_tag.deleted"
        case aliasSet = "model_version_alias.created"
        case aliasDeleted = "model_version_alias.deleted"
    }

    package let kind: Kind
    package let model: String
    package let number: Int?
    package let alias: String?
    package let time: EventTime.Milliseconds
    /// Set for alias moves.
    package let promotion: Promotion?

    package init(
        _ kind: Kind, model: String, number: Int? = nil, alias: String? = nil, time: EventTime.Milliseconds, promotion: Promotion? = nil
    ) {
        self.kind = kind
        self.model = model
        self.number = number
        self.alias = alias
        self.time = time
        self.promotion = promotion
    }

    /// Of an alias that went with its version.
    package init(removed record: PromotionRecord) {
        self.init(.aliasDeleted, model: record.model, alias: record.alias, time: record.time, promotion: record.promotion)
    }

    /// `{"event":…,"model":…,"version":…,"alias":…,"at_ms":…,"actor":…,"reason":…}`; missing facts are null.
    package var json: [UInt8] {
        JSONText.object([
            ("event", .string(kind.rawValue)), ("model", .string(model)), ("version", number.map { .string(String($0)) } ?? .null),
            ("alias", alias.map { .string($0) } ?? .null), ("at_ms", .int(time)), ("actor", promotion.map { .string($0.actor) } ?? .null),
            ("reason", promotion.map { .string($0.reason) } ?? .null),
        ])
    }

    /// Keyed by model, so that one model's changes keep their order.
    package var record: Record { Record(key: Array(model.utf8), value: json, timestamp: time) }
}
