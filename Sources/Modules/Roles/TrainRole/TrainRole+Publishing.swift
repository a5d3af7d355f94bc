import Domain
import FeatureStore
import Features
import Foundation
import Inference
import Learning
import Logging
import Registry
import Statistics
import Table
import Tracking

extension TrainRole {
    /// Logs a run, registers its model and its best baseline, and moves the aliases the verdict allows.
    ///
    /// The champion moves last: whoever follows that alias finds everything else in place.
    func publish(_ outcome: TrainingOutcome, run: String, ranges: [SnapshotRange]) async throws -> Result {
        try await log(outcome, run: run, ranges: ranges)
        let verdict = try outcome.verdict.encoded()
        try await tracking.upload(run: run, path: "gate.json", bytes: verdict)

        let candidate = artefact(
            outcome.fitted.model, trees: outcome.fitted.trees, kind: outcome.best.kind.rawValue, dependsOn: definition.features, outcome,
            run: run, ranges: ranges)
        let report = Array(TrainingReport(definition: definition, outcome: outcome, run: run).html.utf8)
        let reference = outcome.reference
        let files = try await Self.onThread { try candidate.files(reference: reference, report: report) }
        for file in files { try await tracking.upload(run: run, path: "model/\(file.path)", bytes: file.bytes) }

        try await tracking.ensureModel(definition.model)
        let version = try await tracking.createVersion(
            model: definition.model, source: "runs:/\(run)/model", run: run,
            tags: [
                ("mlops.kind", outcome.best.kind.rawValue), ("mlops.gate", outcome.verdict.isPromoted ? "promoted" : "refused"),
                ("mlops.gate.reason", outcome.verdict.reason.rawValue),
                ("mlops.test.\(definition.metric.rawValue)", "\(outcome.verdict.score)"),
            ], description: outcome.verdict.sentence)
        logger.info("version registered", metadata: ["version": "\(version.version)", "kind": "\(outcome.best.kind.rawValue)"])
        let baseline = try await registerBaseline(outcome, run: run, ranges: ranges)
        if outcome.verdict.isPromoted {
            try await tracking.setAlias(
                model: definition.model, alias: Self.championAlias, version: version.number,
                promotion: Promotion(actor: "train", reason: outcome.verdict.sentence, verdict: String(decoding: verdict, as: UTF8.self)))
            logger.info("champion moved", metadata: ["version": "\(version.version)"])
        }
        return Result(run: run, version: version.version, baseline: baseline, verdict: outcome.verdict)
    }

    private func registerBaseline(_ outcome: TrainingOutcome, run: String, ranges: [SnapshotRange]) async throws -> ModelVersion? {
        guard let best = outcome.bestBaseline(by: definition.metric) else { return nil }
        let artefact = artefact(
            best.model, trees: nil, kind: best.name, dependsOn: best.column.map { [$0] } ?? [], outcome, run: run, ranges: ranges)
        let files = try await Self.onThread { try artefact.files(reference: best.reference, report: nil) }
        for file in files { try await tracking.upload(run: run, path: "baseline/\(file.path)", bytes: file.bytes) }
        let version = try await tracking.createVersion(
            model: definition.model, source: "runs:/\(run)/baseline", run: run,
            tags: [("mlops.kind", "baseline"), ("mlops.baseline", best.name)],
            description: "\(best.name): mae \(best.errors.mae), rmse \(best.errors.rmse) on the test rows")
        try await tracking.setAlias(
            model: definition.model, alias: Self.baselineAlias, version: version.number,
            promotion: Promotion(actor: "train", reason: "best baseline by \(definition.metric.rawValue): \(best.name)"))
        return version.version
    }

    /// - Parameter inputs: Those whose meaning must not change, because the predictions depend on them; a baseline goes on
    ///   serving when a feature that it only records is redefined.
    private func artefact(
        _ model: Model, trees: [UInt8]?, kind: String, dependsOn inputs: [String], _ outcome: TrainingOutcome, run: String,
        ranges: [SnapshotRange]
    ) -> ModelArtefact {
        let example = model.inputs.map { input in outcome.example.rowCount > 0 ? outcome.example[input.name]?[0] ?? .null : .null }
        return ModelArtefact(
            metadata: ModelArtefactMetadata(
                name: definition.model, kind: kind, task: definition.task.rawValue, view: definition.view, key: schema.key.map(\.name),
                target: definition.targetName, horizon: definition.horizon,
                definitionHashes: hashes.filter { inputs.contains($0.key) }.mapValues(\.hex), trainedFrom: outcome.trainingStart,
                learntUntil: outcome.learntUntil, trainingRows: outcome.trainingRows, run: run, createdAt: wall(),
                snapshots: ranges.map { .init(topic: $0.topic, partition: $0.partition, first: $0.first, next: $0.next) }),
            model: model, trees: trees, example: example)
    }

    private func log(_ outcome: TrainingOutcome, run: String, ranges: [SnapshotRange]) async throws {
        let snapshot = ranges.map(\.description).joined(separator: " ")
        try await tracking.logInput(
            run: run,
            DatasetInput(
                name: definition.view, digest: String(ContentHash(of: snapshot).hex.prefix(16)), sourceType: "mlops",
                source: String(snapshot.prefix(4_000)), schema: nil, profile: nil, tags: [KeyValue("mlflow.data.context", "training")]))
        let log = TrainingLog(definition: definition, outcome: outcome, time: wall())
        try await tracking.logBatch(run: run, params: log.params, metrics: log.metrics, tags: log.tags)
    }
}
