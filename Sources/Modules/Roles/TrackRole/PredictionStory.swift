import Domain
package import Web

/// One prediction from its number back to its inputs, model version, run, data and code.
package struct PredictionStory: Sendable {
    /// The record of the topic `predictions`.
    package let prediction: JSONValue
    /// Whom it is about: the record's key. `nil` when the features came with the request.
    package let entity: String?
    /// The server's `model-versions/lineage`.
    package let lineage: JSONValue
    /// `mlops.json` of the version's artefact; `nil` for a model that another program has logged.
    package let artefact: JSONValue?

    package init(prediction: JSONValue, entity: String?, lineage: JSONValue, artefact: JSONValue?) {
        self.prediction = prediction
        self.entity = entity
        self.lineage = lineage
        self.artefact = artefact
    }

    /// Everything, for a program.
    package var json: [UInt8] {
        JSONWriter.object { writer in
            writer.key("prediction")
            writer.value(prediction)
            writer.field("entity", entity)
            for name in ["model_version", "promotions", "run"] {
                guard let value = lineage[name] else { continue }
                writer.key(name)
                writer.value(value)
            }
            guard let artefact else { return }
            writer.key("artefact")
            writer.value(artefact)
        }
    }

    /// What a person wants to know, one fact a line.
    package var text: String {
        var lines = facts.map { name, value in name.padded(to: 12) + value }
        lines.append("inputs")
        let features = prediction["features"]?.members ?? []
        if features.isEmpty { lines.append("  not kept; their SHA-256 is \(said(prediction["values_hash"]))") }
        let width = features.map(\.key.count).max() ?? 0, values = features.map { said($0.value) }
        let valueWidth = values.map(\.count).max() ?? 0
        for (feature, value) in zip(features, values) {
            let hash = artefact?["definition_hashes"]?[feature.key]?.string.map { "  definition \($0.prefix(12))" } ?? ""
            lines.append("  " + feature.key.padded(to: width + 2) + value.padded(to: valueWidth) + hash)
        }
        return lines.map { $0.trimmingBlanks + "\n" }.joined()
    }

    private var facts: [(String, String)] {
        let version = lineage["model_version"], tags = pairs(version?["tags"])
        var facts = [
            ("prediction", said(prediction["id"])), ("output", said(prediction["output"])),
            ("entity", entity ?? "none: the features came with the request"), ("asked", moment(prediction["requested_at_ms"])),
            ("features of", moment(prediction["feature_time_ms"])), ("for", moment(prediction["predicted_for_ms"])),
            ("model", "\(said(prediction["model"])) version \(said(prediction["version"]))" + (tags["mlops.kind"].map { ", \($0)" } ?? "")),
        ]
        if let about = version?["description"]?.string, !about.isEmpty { facts.append(("", about)) }
        facts += moves
        return facts + runFacts + data
    }

    /// The moves of aliases that brought this version to where it is, oldest first.
    private var moves: [(String, String)] {
        let moves = (lineage["promotions"]?.array ?? []).sorted { ($0["timestamp"]?.int64 ?? 0) < ($1["timestamp"]?.int64 ?? 0) }
        guard !moves.isEmpty else { return [("alias", "none has stood for this version")] }
        return moves.flatMap { move -> [(String, String)] in
            let before = move["previous_version"]?.string.map { ", before it version \($0)" } ?? ""
            var lines = [("alias", "\(said(move["alias"])) since \(moment(move["timestamp"])) by \(said(move["actor"]))\(before)")]
            if let reason = move["reason"]?.string, !reason.isEmpty { lines.append(("", "because \(reason)")) }
            let verdict = move["verdict"]?.string.flatMap { try? JSONReader.read(Array($0.utf8)) }
            if let sentence = verdict?["sentence"]?.string { lines.append(("", "gate: \(sentence)")) }
            return lines
        }
    }

    private var runFacts: [(String, String)] {
        guard let run = lineage["run"] else { return [("run", "none: the version was registered without one, or it is gone")] }
        let info = run["info"], tags = pairs(run["data"]?["tags"]), params = pairs(run["data"]?["params"])
        var facts = [("run", "\(said(info?["run_id"])) \(said(info?["run_name"])), \(said(info?["status"]))")]
        if let candidate = params["candidate"] { facts.append(("", candidate)) }
        let code = [
            tags["mlops.version"].map { "mlops \($0)" }, tags["mlops.definitions"].map { "definitions \($0)" },
            tags["mlflow.source.name"], tags["mlflow.source.git.commit"].map { "commit \($0)" },
        ].compactMap(\.self)
        facts.append(("code", code.isEmpty ? "the run does not say" : code.joined(separator: ", ")))
        return facts
    }

    private var data: [(String, String)] {
        var facts: [(String, String)] = []
        for input in lineage["run"]?["inputs"]?["dataset_inputs"]?.array ?? [] {
            facts.append(("data", "\(said(input["dataset"]?["name"]))@\(said(input["dataset"]?["digest"]))"))
        }
        for part in artefact?["snapshots"]?.array ?? [] where part["first"] != part["next"] {
            facts.append(
                (
                    "",
                    "\(said(part["topic"])) partition \(said(part["partition"])), records \(said(part["first"])) to before \(said(part["next"]))"
                ))
        }
        if let until = artefact?["learnt_until_ms"], until != .null {
            facts.append(("", "\(said(artefact?["training_rows"])) rows, nothing later than \(moment(until))"))
        }
        return facts.isEmpty ? [("data", "the run does not say")] : facts
    }

    private func pairs(_ list: JSONValue?) -> [String: String] {
        let pairs = (list?.array ?? []).compactMap { pair in pair["key"]?.string.map { ($0, pair["value"]?.string ?? "") } }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }

    /// As it stands in the record; a control character must not reach a terminal.
    private func said(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null: "null"
        case .string(let text): String(text.map { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } ? $0 : "?" })
        case .int(let number): String(number)
        case .double(let number): "\(number)"
        case .bool(let flag): String(flag)
        case .array, .object: "…"
        }
    }

    private func moment(_ value: JSONValue?) -> String { value?.int64.map { EventTime.format($0) } ?? "unknown" }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }

    fileprivate var trimmingBlanks: String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
