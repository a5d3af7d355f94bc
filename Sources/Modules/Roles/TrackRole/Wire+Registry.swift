import Registry
import Tracking
import Web

extension JSONWriter {
    mutating func version(_ version: RegisteredVersion) {
        object { writer in
            writer.field("name", version.model)
            writer.field("version", String(version.number))
            writer.field("creation_timestamp", version.creationTime)
            writer.field("last_updated_timestamp", version.lastUpdateTime)
            if !version.user.isEmpty { writer.field("user_id", version.user) }
            writer.field("current_stage", version.stage)
            writer.field("description", version.description)
            writer.field("source", version.source)
            writer.field("run_id", version.runID)
            writer.field("status", "READY")
            writer.pairs("tags", version.tags)
            writer.field("run_link", version.runLink)
            writer.list("aliases", version.aliases) { $0.value($1) }
            if !version.modelID.isEmpty { writer.field("model_id", version.modelID) }
        }
    }

    mutating func model(_ model: RegisteredModel) {
        object { writer in
            writer.field("name", model.name)
            writer.field("creation_timestamp", model.creationTime)
            writer.field("last_updated_timestamp", model.lastUpdateTime)
            if !model.user.isEmpty { writer.field("user_id", model.user) }
            writer.field("description", model.description)
            writer.list("latest_versions", model.latestVersions) { $0.version($1) }
            writer.pairs("tags", model.tags)
            writer.list("aliases", model.aliases) { writer, alias in
                writer.object { writer in
                    writer.field("alias", alias.alias)
                    writer.field("version", String(alias.number))
                }
            }
        }
    }
}
