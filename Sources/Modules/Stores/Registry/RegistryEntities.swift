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
        case promptCreated = "prompt.created"
        case promptTagSet = "prompt_tag.set"
        case promptTagDeleted = "prompt_tag.deleted"
        case promptVersionCreated = "prompt_version.created"
        case promptVersionTagSet = "prompt_version_tag.set"
        case promptVersionTagDeleted = "prompt_version_tag.deleted"
        case promptAliasSet = "prompt_alias.created"
        case promptAliasDeleted = "prompt_alias.deleted"

        /// What the same change is called of a prompt; `nil` for changes of which nobody is told.
        var ofPrompt: Kind? {
            switch self {
            case .modelCreated: .promptCreated
            case .versionCreated: .promptVersionCreated
            case .versionTagSet: .promptVersionTagSet
            case .versionTagDeleted: .promptVersionTagDeleted
            case .aliasSet: .promptAliasSet
            case .aliasDeleted: .promptAliasDeleted
            default: nil
            }
        }
    }

    /// What webhooks are told besides.
    package struct Details: Sendable, Equatable {
        /// Of a tag that was set or removed.
        package var key: String?
        package var value: String?
        package var source: String?
        /// Empty when there is none.
        package var run: String?
        package var description: String?
        package var tags: [KeyValue]?
        /// The text of a prompt's version.
        package var template: String?

        package init() {}

        /// Of a tag.
        package init(key: String, value: String? = nil) {
            self.key = key
            self.value = value
        }

        /// Of a new model.
        package init(_ model: RegisteredModel) {
            description = model.description
            tags = model.tags
        }

        /// Of a new version.
        package init(_ version: RegisteredVersion) {
            source = version.source
            run = version.runID
            description = version.description
            tags = version.tags
        }
    }

    package private(set) var kind: Kind
    package let model: String
    package let number: Int?
    package let alias: String?
    package let time: EventTime.Milliseconds
    /// Set for alias moves.
    package let promotion: Promotion?
    package private(set) var details: Details

    package init(
        _ kind: Kind, model: String, number: Int? = nil, alias: String? = nil, time: EventTime.Milliseconds, promotion: Promotion? = nil,
        details: Details = Details()
    ) {
        self.details = details
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

    /// The same change of a prompt; `nil` when nobody is told of it.
    package var ofPrompt: RegistryEvent? {
        guard let kind = kind.ofPrompt else { return nil }
        var event = self
        event.kind = kind
        if kind == .promptVersionCreated { event.details.template = details.tags?.last { $0.key == Prompts.textTag }?.value }
        let hidden: Set = kind == .promptVersionCreated ? [Prompts.textTag, Prompts.typeTag] : [Prompts.typeTag]
        event.details.tags = details.tags.map { Prompts.ownTags($0, besides: hidden) }
        return event
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
