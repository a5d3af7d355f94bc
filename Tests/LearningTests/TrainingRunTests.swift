import Domain
import Foundation
import Inference
import Learning
import Statistics
import Synchronization
import Table
import Testing

struct TrainingRunTests {
    static let minute: Int64 = 60_000

    static func definition(
        candidates: [TrainingDefinition.Candidate] = [ridge], trials: Int = 4, seconds: Double = 100, minRows: Int = 100,
        features: [String] = ["x", "noise", "pair"]
    ) -> TrainingDefinition {
        TrainingDefinition(
            view: "view", targetName: "t", horizon: 10 * minute, task: .regression, features: features, missing: FittingTests.missing,
            split: .init(kind: .time, test: 0.2, folds: 2), metric: .mae, baselines: [.current("x"), .mean], candidates: candidates,
            budget: .init(trials: trials, seconds: seconds, seed: 7),
            gate: .init(minImprovement: 0, confidence: 0.95, minTestRows: minRows, maxLatencyMicroseconds: nil, slices: ["pair"]),
            model: "model")
    }

    static let ridge = TrainingDefinition.Candidate(kind: .ridge, search: [.init(name: "alpha", scale: .log, lower: 1e-4, upper: 100)])
    static let xgboost = TrainingDefinition.Candidate(kind: .xgboost, search: [.init(name: "max_depth", scale: .int, lower: 2, upper: 4)])

    /// Two keys a minute; the target is `slope · x + 1` plus noise of ±0.1.
    static func rows(_ moments: Int = 500, slope: Double = 2) throws -> TrainingRows {
        var random = RandomSource(seed: 3)
        var x: [Double?] = []
        var noise: [Double?] = []
        var target: [Double?] = []
        for index in 0..<moments * 2 {
            let value = random.uniform() * 10
            x.append(index % 97 == 5 ? nil : value)
            noise.append(random.uniform())
            target.append(index >= moments * 2 - 20 ? nil : slope * value + 1 + (random.uniform() - 0.5) / 5)
        }
        return try TrainingRows(
            table: Table([
                Column("x", doubles: x), Column("noise", doubles: noise),
                Column("pair", strings: x.indices.map { $0 % 2 == 0 ? "A" : "B" }),
            ]),
            target: Column("t", doubles: target), availability: x.indices.map { Int64($0 / 2) * minute },
            keys: x.indices.map { $0 % 2 == 0 ? "A" : "B" }, features: ["x", "noise", "pair"], warmUp: [:], missing: FittingTests.missing)
    }

    /// A library that always grows one split of the first feature at 5.
    static let stump: BoostedTrees.Fit = { matrix, labels, parameters in
        #expect(matrix.values.count == matrix.rows * matrix.columns && labels.count == matrix.rows)
        func mean(_ keep: (Float) -> Bool) -> Float {
            let chosen = labels.indices.filter { keep(matrix.values[$0 * matrix.columns]) }.map { labels[$0] }
            return chosen.reduce(0, +) / Float(chosen.count)
        }
        return Array(
            """
            {"learner":{"feature_names":[],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,-1],
            "right_children":[2,-1,-1],"split_indices":[0,0,0],"split_conditions":[5,\(mean { $0 < 5 }),\(mean { $0 >= 5 })],
            "default_left":[0,0,0]}]}},"learner_model_param":{"base_score":"0","num_feature":"\(matrix.columns)"},
            "objective":{"name":"reg:squarederror"}}}
            """.utf8)
    }

    static func run(
        _ definition: TrainingDefinition, clock: @escaping @Sendable () -> Double = { 0 }, champion: TrainingRun.Champion? = nil,
        slope: Double = 2, boost: @escaping BoostedTrees.Fit = stump
    ) throws -> TrainingOutcome {
        try TrainingRun(definition: definition, boost: boost, clock: clock, report: { _ in }).run(rows(slope: slope), champion: champion)
    }

    @Test func `a model that has found the rule is promoted against both baselines`() throws {
        let outcome = try Self.run(Self.definition(candidates: [Self.ridge, Self.xgboost]))
        #expect(outcome.best.kind == .ridge)
        #expect(outcome.trials.map(\.kind) == [.ridge, .xgboost, .ridge, .xgboost])
        #expect(outcome.errors.mae < 0.2)
        #expect(outcome.verdict.isPromoted)
        #expect(outcome.verdict.comparisons.map(\.rival) == ["current(x)", "mean"])
        #expect(outcome.bestBaseline(by: .mae)?.name == "mean")
        #expect(outcome.verdict.slices.map(\.group) == ["A", "B"])
    }

    @Test func `a setting far behind in the first fold is given up there and never chosen`() throws {
        let outcome = try Self.run(Self.definition(candidates: [Self.ridge, Self.xgboost]))
        #expect(outcome.trials.map(\.isPruned) == [false, true, false, true])
        #expect(outcome.trials.map(\.foldScores.count) == [2, 1, 2, 1])
    }

    @Test func `a candidate begins with its library's usual setting, brought into range`() throws {
        let outcome = try Self.run(Self.definition(candidates: [Self.ridge, Self.xgboost]))
        #expect(outcome.trials[0].description == "ridge alpha=1")
        #expect(outcome.trials[1].description == "xgboost max_depth=4")
    }

    @Test func `a ridge relative to a column takes the inputs as they are and is promoted as any other`() throws {
        let relative = TrainingDefinition.Candidate(
            kind: .ridge, search: [.init(name: "alpha", scale: .log, lower: 1e-6, upper: 1)], relativeTo: "x")
        let outcome = try Self.run(Self.definition(candidates: [relative, Self.xgboost]))
        #expect(outcome.trials[0].description == "ridge relative to x alpha=0.001")
        #expect(outcome.best.candidate == relative)
        #expect(outcome.verdict.isPromoted)
        guard case .numeric(_, _, let scaler) = outcome.fitted.model.pipeline.steps[0] else { Issue.record("not numeric"); return }
        #expect(scaler == nil)
        guard case .linear(let linear) = outcome.fitted.model.estimator else { Issue.record("not linear"); return }
        #expect((linear.weights[0] - 2).magnitude < 0.05)
    }

    @Test func `a target that is the present value leaves the baseline unbeaten`() throws {
        let definition = Self.definition(candidates: [Self.xgboost])
        let outcome = try Self.run(definition, slope: 1)
        #expect(!outcome.verdict.isPromoted)
        #expect(outcome.verdict.comparisons.first { !$0.isBeaten }?.rival == "current(x)")
    }

    @Test func `the test rows are the last fifth and training stops a horizon before them`() throws {
        let outcome = try Self.run(Self.definition())
        // 980 labelled rows of 490 moments: 98 moments test, 10 purged.
        #expect(outcome.testTruths.count == 196)
        #expect(outcome.testTimes.first == 392 * Self.minute)
        #expect(outcome.purgedRows == 20)
        #expect(outcome.trainingRows == 764)
        #expect(outcome.learntUntil == 391 * Self.minute)
        #expect(outcome.trainingStart == 0)
    }

    @Test(arguments: [ridge, xgboost])
    func `the fitted imputer has seen the training rows only`(candidate: TrainingDefinition.Candidate) throws {
        let outcome = try Self.run(Self.definition(candidates: [candidate]))
        let rows = try Self.rows()
        let training = rows.table.slice(0..<764).columns[0].numbers().filter { !$0.isNaN }.sorted()
        let median = (training[(training.count - 1) / 2] + training[training.count / 2]) / 2
        guard case .numeric(_, let imputer, _) = outcome.fitted.model.pipeline.steps[0] else { Issue.record("not numeric"); return }
        #expect(imputer?.fill == median)
    }

    @Test func `the same seed gives the same model, trials and verdict`() throws {
        let definition = Self.definition(candidates: [Self.ridge, Self.xgboost], trials: 14)
        let first = try Self.run(definition)
        let second = try Self.run(definition)
        #expect(try PipelineFile(first.fitted.model).encoded() == PipelineFile(second.fitted.model).encoded())
        #expect(first.trials.map(\.description) == second.trials.map(\.description))
        #expect(first.trials.map(\.foldScores) == second.trials.map(\.foldScores))
        #expect(first.verdict == second.verdict)
    }

    @Test func `the budget of seconds ends the search after a trial, never before the first`() throws {
        let ticks = Mutex(0.0)
        let outcome = try Self.run(Self.definition(trials: 50, seconds: 3)) {
            ticks.withLock { ticks in
                ticks += 1
                return ticks
            }
        }
        #expect(outcome.trials.count == 3)
        #expect(try Self.run(Self.definition(trials: 50, seconds: 0)).trials.count == 1)
    }

    @Test func `a champion is judged on the same rows and its training data is left out`() throws {
        let trained = try Self.run(Self.definition())
        let champion = TrainingRun.Champion(name: "champion v1", model: trained.fitted.model, learntUntil: 420 * Self.minute)
        let again = try Self.run(Self.definition(minRows: 50), champion: champion)
        #expect(again.verdict.comparisons.map(\.rival) == ["current(x)", "mean", "champion v1"])
        #expect(again.verdict.countedRows == 2 * (489 - 420))
        #expect(again.verdict.reason == .notBetter)
        #expect(try Self.run(Self.definition(minRows: 139), champion: champion).verdict.reason == .tooFewRows)
    }

    @Test func `a champion whose inputs are gone cannot block a successor`() throws {
        let gone = try Model(
            inputs: [.init(name: "dropped", type: .double)],
            pipeline: Pipeline(steps: [.numeric(column: "dropped", imputer: nil, scaler: nil)]), estimator: .current(column: 0))
        let outcome = try Self.run(Self.definition(), champion: .init(name: "champion v1", model: gone, learntUntil: .max))
        #expect(outcome.verdict.isPromoted)
    }

    @Test func `a library that fails loses its trials, and all of them end the run with its reason`() throws {
        struct Broken: Error, CustomStringConvertible { let description = "no library" }
        let broken: BoostedTrees.Fit = { _, _, _ in throw Broken() }
        #expect(try Self.run(Self.definition(candidates: [Self.xgboost, Self.ridge]), boost: broken).best.kind == .ridge)
        let error = #expect(throws: TrainingRun.Error.self) { try Self.run(Self.definition(candidates: [Self.xgboost]), boost: broken) }
        #expect(error?.description == "no candidate could be trained: no library")
    }

    @Test func `the reference sample holds inputs, predictions and truths of training rows`() throws {
        let outcome = try Self.run(Self.definition(candidates: [Self.xgboost]))
        #expect(outcome.reference.names == ["x", "noise", "pair", "prediction", "target"])
        #expect(outcome.reference.rowCount == 764)
        #expect(try outcome.reference.column("prediction").numbers() == outcome.fitted.model.predict(outcome.reference))
        #expect(outcome.fitted.trees != nil)
    }

    @Test func `a baseline takes every feature, and one it does not need may be null`() throws {
        let outcome = try Self.run(Self.definition())
        let current = outcome.baselines[0], mean = outcome.baselines[1]
        #expect(outcome.baselines.map(\.column) == ["x", nil])
        for baseline in outcome.baselines { #expect(baseline.model.inputs == outcome.fitted.model.inputs) }
        #expect(try current.model.predict([.double(3.5), .double(1), .string("A")]) == 3.5)
        #expect(try current.model.predict([.double(3.5), .null, .null]) == 3.5)
        let answer = try mean.model.predict([.double(3.5), .double(1), .string("A")])
        #expect(answer.isFinite)
        #expect(try mean.model.predict([.null, .null, .null]) == answer)
        #expect(Set(mean.predictions) == [answer])
    }

    @Test func `a baseline may repeat a column that is no feature, also behind a text`() throws {
        let current = try #require(Self.run(Self.definition(features: ["noise", "pair"])).baselines.first)
        #expect(current.model.inputs.map(\.name) == ["noise", "pair", "x"])
        #expect(try current.model.predict([.null, .string("B"), .double(2.5)]) == 2.5)
        #expect(current.reference.names == ["noise", "pair", "x", "prediction", "target"])
    }

    @Test func `each baseline has a reference with its own predictions`() throws {
        let outcome = try Self.run(Self.definition())
        for baseline in outcome.baselines {
            #expect(baseline.reference.names == outcome.reference.names)
            #expect(try baseline.reference.column("prediction").numbers() == baseline.model.predict(baseline.reference))
            #expect(try baseline.reference.column("target").numbers() == outcome.reference.column("target").numbers())
        }
    }
}
