import Web

extension TrackingClient {
    func run(_ value: JSONValue?) throws(TrackingFailure) -> Run {
        guard let value, let info = value["info"], let id = info["run_id"]?.string else { throw missing("run") }
        var run = Run(
            info: RunInfo(
                id: id, name: info["run_name"]?.string ?? "", experimentID: info["experiment_id"]?.string ?? "",
                user: info["user_id"]?.string ?? "", status: info["status"]?.string.flatMap { RunStatus(rawValue: $0) } ?? .running,
                startTime: info["start_time"]?.int64 ?? 0, endTime: info["end_time"]?.int64,
                artifactURI: info["artifact_uri"]?.string ?? "",
                stage: info["lifecycle_stage"]?.string.flatMap { LifecycleStage(rawValue: $0) } ?? .active))
        run.metrics = (value["data"]?["metrics"]?.array ?? []).compactMap { metric in
            guard let key = metric["key"]?.string, let number = metric["value"]?.number else { return nil }
            return Metric(key, number, timestamp: metric["timestamp"]?.int64 ?? 0, step: metric["step"]?.int64 ?? 0)
        }
        run.params = Self.pairs(value["data"]?["params"])
        run.tags = Self.pairs(value["data"]?["tags"])
        return run
    }

    func registeredVersion(_ value: JSONValue?) throws(TrackingFailure) -> RegisteredVersion {
        guard let value, let model = value["name"]?.string, let number = value["version"]?.int64 else { throw missing("model_version") }
        return RegisteredVersion(
            model: model, number: Int(number), source: value["source"]?.string ?? "", runID: value["run_id"]?.string ?? "",
            modelID: value["model_id"]?.string ?? "", runLink: value["run_link"]?.string ?? "", user: value["user_id"]?.string ?? "",
            description: value["description"]?.string ?? "", stage: value["current_stage"]?.string ?? "None",
            creationTime: value["creation_timestamp"]?.int64 ?? 0, lastUpdateTime: value["last_updated_timestamp"]?.int64 ?? 0,
            tags: Self.pairs(value["tags"]), aliases: (value["aliases"]?.array ?? []).compactMap(\.string))
    }

    static func pairs(_ value: JSONValue?) -> [KeyValue] {
        (value?.array ?? []).compactMap { pair in
            guard let key = pair["key"]?.string else { return nil }
            return KeyValue(key, pair["value"]?.string ?? "")
        }
    }
}
