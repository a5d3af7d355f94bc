import Tracking
import Web

extension Route {
    /// The release of MLflow whose protocol this server speaks; clients compare it with their own.
    static let protocolVersion = "3.18.0"

    static let server: [Route] = [
        Route(.get, path: "server-info", version: "3.0") { _, _ in
            .object { writer in
                writer.field("store_type", "SqlStore")
                writer.field("tracking_auth", "")
                writer.field("artifact_serving_enabled", true)
                for name in [
                    "workspaces_enabled", "trace_archival_enabled", "multipart_uploads_enabled", "multipart_downloads_enabled",
                    "presigned_upload_run_id_supported", "presigned_upload_model_id_supported",
                    "model_artifact_presigned_downloads_supported",
                    "artifacts_presigned_only",
                ] { writer.field(name, false) }
                writer.key("features_enabled")
                writer.object { writer in
                    writer.field("gateway", false)
                    writer.field("scheduled_issue_detection", false)
                }
            }
        }
    ]
}
