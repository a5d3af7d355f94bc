import Tracking
import Web

/// The messages of the protocol: unset fields are left out, empty lists too.
extension JSONWriter {
    mutating func pair(_ pair: KeyValue) {
        begin("{\"key\":")
        value(pair.key)
        inside(",\"value\":")
        value(pair.value)
        end()
    }

    mutating func pairs(_ name: String, _ pairs: [KeyValue]) { list(name, pairs) { $0.pair($1) } }

    mutating func metric(_ metric: Metric, run: String? = nil) {
        begin("{\"key\":")
        value(metric.key)
        inside(",\"value\":")
        value(metric.value)
        inside(",\"timestamp\":")
        value(metric.timestamp)
        inside(",\"step\":")
        value(metric.step)
        field("model_id", metric.modelID)
        field("dataset_name", metric.dataset?.name)
        field("dataset_digest", metric.dataset?.digest)
        field("run_id", run)
        end()
    }

    mutating func experiment(_ experiment: Experiment) {
        object { writer in
            writer.field("experiment_id", experiment.id)
            writer.field("name", experiment.name)
            writer.field("artifact_location", experiment.artifactLocation)
            writer.field("lifecycle_stage", experiment.stage.rawValue)
            writer.field("last_update_time", experiment.lastUpdateTime)
            writer.field("creation_time", experiment.creationTime)
            writer.pairs("tags", experiment.tags)
        }
    }

    mutating func runInfo(_ info: RunInfo) {
        begin("{\"run_id\":")
        value(info.id)
        inside(",\"run_uuid\":")
        value(info.id)
        inside(",\"run_name\":")
        value(info.name)
        inside(",\"experiment_id\":")
        value(info.experimentID)
        inside(",\"user_id\":")
        value(info.user)
        inside(",\"status\":")
        value(info.status.rawValue)
        inside(",\"start_time\":")
        value(info.startTime)
        field("end_time", info.endTime)
        field("artifact_uri", info.artifactURI)
        field("lifecycle_stage", info.stage.rawValue)
        end()
    }

    mutating func run(_ run: Run) {
        object { writer in
            writer.key("info")
            writer.runInfo(run.info)
            writer.key("data")
            writer.object { writer in
                writer.list("metrics", run.metrics) { $0.metric($1) }
                writer.pairs("params", run.params)
                writer.pairs("tags", run.tags)
            }
            writer.key("inputs")
            writer.object { writer in
                writer.list("dataset_inputs", run.datasets) { $0.datasetInput($1) }
                writer.list("model_inputs", run.modelInputs) { writer, id in writer.object { $0.field("model_id", id) } }
            }
            guard !run.modelOutputs.isEmpty else { return }
            writer.key("outputs")
            writer.object { writer in
                writer.list("model_outputs", run.modelOutputs) { writer, output in
                    writer.object { writer in
                        writer.field("model_id", output.modelID)
                        writer.field("step", output.step)
                    }
                }
            }
        }
    }

    mutating func datasetInput(_ input: DatasetInput) {
        object { writer in
            writer.pairs("tags", input.tags)
            writer.key("dataset")
            writer.object { writer in
                writer.field("name", input.name)
                writer.field("digest", input.digest)
                writer.field("source_type", input.sourceType)
                writer.field("source", input.source)
                writer.field("schema", input.schema)
                writer.field("profile", input.profile)
            }
        }
    }

    mutating func loggedModel(_ model: LoggedModel) {
        object { writer in
            writer.key("info")
            writer.object { writer in
                writer.field("model_id", model.id)
                writer.field("experiment_id", model.experimentID)
                writer.field("name", model.name)
                writer.field("creation_timestamp_ms", model.creationTime)
                writer.field("last_updated_timestamp_ms", model.lastUpdateTime)
                writer.field("artifact_uri", model.artifactURI)
                writer.field("status", model.status.rawValue)
                writer.field("model_type", model.type)
                writer.field("source_run_id", model.sourceRun)
                writer.pairs("tags", model.tags)
            }
            writer.key("data")
            writer.object { writer in
                writer.pairs("params", model.params)
                writer.list("metrics", model.metrics) { $0.metric($1.metric, run: $1.run) }
            }
        }
    }
}
