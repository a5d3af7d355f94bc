import Dispatch
import Domain
import Inference
import Statistics
import Synchronization
import Table

/// The rows of one split with their matrices, made once and shared by every trial.
struct Fold: Sendable {
    let trainingTable: Table
    let judgingTable: Table
    let trainingTargets: [Double]
    let judgingTargets: [Double]
    /// Filled and spread, for trees.
    let plain: Pipeline
    /// Scaled as well, for linear models.
    let scaled: Pipeline
    let plainTraining: BoostedTrees.Matrix
    let plainLabels: [Float]
    let plainJudging: [Double]
    let scaledJudging: [Double]
    /// The sums over the training rows; one factorisation a penalty remains.
    let ridge: Ridge?
    /// The same for ridges of relative errors, by the column that they are relative to.
    let relativeRidges: [String: RelativeRidge]

    init(_ rows: TrainingRows, training: [Int], judging: [Int], _ definition: TrainingDefinition) throws(TrainingRun.Error) {
        let trainingTable = rows.table.gathered(training)
        let judgingTable = rows.table.gathered(judging)
        let trainingTargets = training.map { rows.targets[$0] }
        self.trainingTable = trainingTable
        self.judgingTable = judgingTable
        self.trainingTargets = trainingTargets
        judgingTargets = judging.map { rows.targets[$0] }
        let ridges = definition.candidates.filter { $0.kind == .ridge }
        do throws(Table.Error) {
            let plain = try Pipeline.fit(trainingTable, features: definition.features, missing: definition.missing, scaled: false)
            let scaled = try Pipeline.fit(trainingTable, features: definition.features, missing: definition.missing, scaled: true)
            let plainValues = try plain.matrix(trainingTable)
            plainTraining = BoostedTrees.Matrix(
                values: plainValues.map(Float.init), rows: training.count, columns: plain.width,
                names: plain.outputNames)
            plainJudging = try plain.matrix(judgingTable)
            scaledJudging = try scaled.matrix(judgingTable)
            let scaledTraining = try scaled.matrix(trainingTable)
            ridge =
                ridges.contains { $0.relativeTo == nil }
                ? try? Ridge(matrix: scaledTraining, columns: scaled.width, labels: trainingTargets) : nil
            var relativeRidges: [String: RelativeRidge] = [:]
            for name in Set(ridges.compactMap(\.relativeTo)) {
                let units = try trainingTable.column(name).numbers()
                relativeRidges[name] = try? RelativeRidge(
                    matrix: plainValues, columns: plain.width, labels: trainingTargets, units: units)
            }
            self.relativeRidges = relativeRidges
            self.plain = plain
            self.scaled = scaled
        } catch {
            throw .table(error)
        }
        plainLabels = trainingTargets.map(Float.init)
    }
}

extension TrainingRun {
    private struct FitFailure: Swift.Error, CustomStringConvertible {
        let description: String
    }

    /// A setting whose first fold is worse than the best trial's by this factor is given up there.
    private static let pruningFactor = 1.5

    /// Tries settings of the candidates in turn until the trials or the seconds are spent; at least one is finished.
    ///
    /// Each candidate begins with the usual setting of its library and goes on by ``ParzenSearch``.
    func search(_ rows: TrainingRows, _ split: Split) throws(Error) -> [Trial] {
        guard !definition.candidates.isEmpty else { throw .noTrial("the definition names none") }
        var folds: [Fold] = []
        for part in split.folds { folds.append(try Fold(rows, training: part.training, judging: part.judging, definition)) }
        var searches = definition.candidates.enumerated().map {
            ParzenSearch(
                ranges: $1.search, first: Self.first($1),
                seed: definition.budget.seed &+ UInt64($0))
        }
        let start = clock()
        var trials: [Trial] = []
        var failure: String?
        for number in 0..<max(1, definition.budget.trials) {
            if number > 0, clock() - start >= definition.budget.seconds {
                report("the budget of \(definition.budget.seconds) s ended the search after \(number) trials")
                break
            }
            let index = number % definition.candidates.count
            let candidate = definition.candidates[index]
            let values = searches[index].propose()
            let (trial, problem) = run(candidate, values, folds, best: trials.filter { !$0.isPruned }.min { $0.score < $1.score })
            failure = failure ?? problem
            searches[index].record(values, score: trial.score)
            trials.append(trial)
            report(
                "trial \(number + 1): \(trial.description), cross-validated \(definition.metric.rawValue) \(Gate.Verdict.short(trial.score))"
                    + (trial.isPruned ? ", given up after the first fold" : ""))
        }
        if let failure, !trials.contains(where: { $0.score.isFinite }) { throw .noTrial(failure) }
        return trials
    }

    /// What the libraries themselves begin with.
    private static let usual = ["max_depth": 6, "eta": 0.3, "rounds": 100, "alpha": 1.0]

    /// No library has a usual penalty for relative errors: the middle of the range.
    private static func first(_ candidate: TrainingDefinition.Candidate) -> [Double] {
        candidate.search.map { (candidate.relativeTo == nil ? usual[$0.name] : nil) ?? $0.value(at: 0.5) }
    }

    private func run(
        _ candidate: TrainingDefinition.Candidate, _ values: [Double], _ folds: [Fold], best: Trial?
    ) -> (trial: Trial, problem: String?) {
        let parameters = zip(candidate.search, values).map { (name: $0.name, value: $1) }
        func trial(_ scores: [Double], isPruned: Bool = false) -> Trial {
            Trial(candidate: candidate, parameters: parameters, foldScores: scores, isPruned: isPruned)
        }
        do {
            guard let first = folds.first else { return (trial([]), "there are no folds") }
            let firstScore = try score(first, candidate, parameters)
            if let best = best?.foldScores.first, firstScore > best * Self.pruningFactor {
                return (trial([firstScore], isPruned: true), nil)
            }
            let others = Array(folds.dropFirst())
            return (trial([firstScore] + (try Self.concurrently(others) { try score($0, candidate, parameters) })), nil)
        } catch {
            return (trial([.infinity]), String(describing: error))
        }
    }

    /// The results in the order of `items`, each made on a core of its own; the first error in that order is thrown.
    private static func concurrently<Item: Sendable>(_ items: [Item], _ work: @Sendable (Item) throws -> Double) throws -> [Double] {
        let results = Mutex([Result<Double, any Swift.Error>?](repeating: nil, count: items.count))
        DispatchQueue.concurrentPerform(iterations: items.count) { index in
            let result = Result { try work(items[index]) }
            results.withLock { $0[index] = result }
        }
        return try results.withLock { $0 }.compactMap { try $0?.get() }
    }

    private func score(
        _ fold: Fold, _ candidate: TrainingDefinition.Candidate, _ parameters: [(name: String, value: Double)]
    ) throws -> Double {
        let model = try fit(fold, candidate, parameters).model
        let matrix = candidate.kind == .ridge && candidate.relativeTo == nil ? fold.scaledJudging : fold.plainJudging
        let predictions = try model.outputs(matrix: matrix, rows: fold.judgingTargets.count)
        guard let errors = RegressionErrors(predictions: predictions, truths: fold.judgingTargets) else {
            throw FitFailure(description: "a validation block is empty")
        }
        return switch definition.metric {
        case .mae: errors.mae
        case .rmse: errors.rmse
        }
    }

    /// Fits one setting on a fold's training rows.
    func fit(
        _ fold: Fold, _ candidate: TrainingDefinition.Candidate, _ parameters: [(name: String, value: Double)]
    ) throws -> FittedModel {
        let inputs = try definition.features.map { Model.Input(name: $0, type: try fold.trainingTable.column($0).type) }
        func value(_ name: String) -> Double? { parameters.first { $0.name == name }?.value }
        switch candidate.kind {
        case .ridge:
            if let unit = candidate.relativeTo {
                guard let ridge = fold.relativeRidges[unit] else {
                    throw FitFailure(description: "the rows do not make a ridge regression relative to \(unit)")
                }
                let linear = try ridge.solve(alpha: value("alpha") ?? 1)
                return FittedModel(model: try Model(inputs: inputs, pipeline: fold.plain, estimator: .linear(linear)), trees: nil)
            }
            guard let ridge = fold.ridge else { throw FitFailure(description: "the rows do not make a ridge regression") }
            let linear = try ridge.solve(alpha: value("alpha") ?? 1)
            return FittedModel(model: try Model(inputs: inputs, pipeline: fold.scaled, estimator: .linear(linear)), trees: nil)
        case .xgboost:
            let known = ["max_depth", "eta", "rounds"]
            let other = parameters.filter { !known.contains($0.name) }
            let bytes = try boost(
                fold.plainTraining, fold.plainLabels,
                BoostedTrees.Parameters(
                    maxDepth: Int(value("max_depth") ?? 6), eta: value("eta") ?? 0.3, rounds: Int(value("rounds") ?? 100),
                    other: Dictionary(other.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }), seed: definition.budget.seed))
            let forest = try BoostedModel(bytes: bytes)
            return FittedModel(model: try Model(inputs: inputs, pipeline: fold.plain, estimator: .boosted(forest)), trees: bytes)
        }
    }
}
