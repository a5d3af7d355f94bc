package import Domain
package import FeatureStore
package import Learning
package import Logging
package import Project
package import Settings
package import Tracking

import Boosting
import Dispatch
import Expressions
import Features
import Table

/// The `train` role: one run from a view's history to a registered version, and to the champion when the gate says so.
package struct TrainRole: Sendable {
    package static let championAlias = "champion"
    package static let baselineAlias = "baseline"

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// The project declares no training.
        case noTraining
        /// The training view does not come from a stream, so it has no recorded history.
        case noHistory(view: String)

        package var description: String {
            switch self {
            case .noTraining: "the project has no `training:`"
            case .noHistory(let view): "view \"\(view)\" has no recorded history to train on"
            }
        }
    }

    /// What one run came to.
    package struct Result: Sendable {
        /// The tracked run.
        package let run: String
        /// The candidate, registered whether promoted or not.
        package let version: ModelVersion
        /// The best baseline, which `serve` answers with while there is no champion.
        package let baseline: ModelVersion?
        package let verdict: Gate.Verdict
    }

    let definition: TrainingDefinition
    let target: TargetProgram
    let schema: ViewSchema
    /// Rows before the first value, by column of the view.
    let warmUp: [String: Int]
    /// Column of the view → what it means.
    let hashes: [String: ContentHash]
    let project: String
    /// What the tracked run says of the code: its version and the project's definitions.
    let code: [(String, String)]
    let history: OfflineStore
    let tracking: TrackingClient
    let logger: Logger
    let wall: @Sendable () -> EventTime.Milliseconds

    /// - Parameters:
    ///   - version: Of the program.
    ///   - history: Where the rows of the training view are.
    ///   - wall: Milliseconds since the epoch.
    /// - Throws: ``Error``.
    package init(
        project: ProjectDefinition, version: String = "", settings: TrainSettings, history: OfflineStore, tracking: TrackingClient,
        logger: Logger,
        wall: @escaping @Sendable () -> EventTime.Milliseconds
    ) throws(Error) {
        guard let training = project.training, let target = project.target else { throw .noTraining }
        guard let schema = project.schemas[training.view],
            let compiled = project.compiled.first(where: { $0.views.views.contains { $0.definition.name == training.view } })
        else { throw .noHistory(view: training.view) }
        definition = training.with(
            .init(
                trials: settings.trials ?? training.budget.trials, seconds: settings.seconds ?? training.budget.seconds,
                seed: settings.seed ?? training.budget.seed))
        self.target = target
        self.schema = schema
        warmUp = compiled.views.warmUp(of: training.view)
        hashes = compiled.views.hashes[training.view] ?? [:]
        self.project = project.name
        code = [("mlops.definitions", String(project.hash.hex.prefix(16)))] + (version.isEmpty ? [] : [("mlops.version", version)])
        self.history = history
        self.tracking = tracking
        self.logger = logger
        self.wall = wall
    }

    /// Trains once. A refusal is a result, not an error.
    ///
    /// - Throws: What the stores, the tracking server or the rows are at fault for; the tracked run is then marked as failed.
    package func run() async throws -> Result {
        let experiment = try await tracking.experiment(named: project)
        let started = wall()
        let run = try await tracking.createRun(
            experiment: experiment, name: "train \(definition.model) \(EventTime.format(started))",
            tags: [("mlops.model", definition.model), ("mlops.view", definition.view)] + code, startTime: started)
        do {
            let result = try await train(in: run.info.id)
            try await tracking.finish(run: run.info.id, status: .finished, endTime: wall())
            return result
        } catch {
            // The first error is the one that counts; the mark is a courtesy to whoever looks at the run.
            try? await tracking.finish(run: run.info.id, status: error is CancellationError ? .killed : .failed, endTime: wall())
            throw error
        }
    }

    private func train(in run: String) async throws -> Result {
        let (table, ranges) = try await history.read(view: definition.view)
        logger.info(
            "history read", metadata: ["view": "\(definition.view)", "rows": "\(table.rowCount)", "ranges": "\(ranges.map(\.description))"])
        let champion = try await champion()
        let training = TrainingRun(
            definition: definition, boost: Boosting.fit, clock: { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 },
            report: { [logger] in logger.info("\($0)") })
        let labels = TrainingLabels(definition: definition, target: target, schema: schema, warmUp: warmUp)
        let outcome = try await Self.onThread { try training.run(labels.rows(table), champion: champion) }
        return try await publish(outcome, run: run, ranges: ranges)
    }

    /// Runs work that takes seconds of processor time away from the threads that all tasks share.
    static func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "mlops.train", qos: .utility).async { continuation.resume(with: Swift.Result { try work() }) }
        }
    }
}
