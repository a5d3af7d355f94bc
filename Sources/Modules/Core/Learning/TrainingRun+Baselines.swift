import Domain
import Inference
import Statistics
import Table

extension TrainingRun {
    /// Fitted on the training rows only, like the candidates.
    func baselines(_ fold: Fold) throws(Error) -> [TrainingOutcome.Baseline] {
        var results: [TrainingOutcome.Baseline] = []
        for baseline in definition.baselines {
            let model = try model(of: baseline, fold)
            let column: String? = if case .current(let name) = baseline { name } else { nil }
            let predictions = try predict(model, fold.judgingTable)
            results.append(
                .init(
                    name: baseline.description, column: column, model: model, predictions: predictions,
                    errors: try evaluate(predictions, fold.judgingTargets), reference: try reference(model, fold)))
        }
        return results
    }

    /// Takes every feature, although it predicts from one column or none: a prediction records the inputs of its model,
    /// and drift of all features is to be seen while a baseline serves as well.
    private func model(of baseline: TrainingDefinition.Baseline, _ fold: Fold) throws(Error) -> Model {
        let (inputs, steps) = try Self.wrap({ (error: Table.Error) in .table(error) }) { () throws(Table.Error) in
            try readings(of: baseline, fold)
        }
        let estimator: Model.Estimator =
            switch baseline {
            case .mean: .mean(Moments(fold.trainingTargets).mean)
            case .current(let name): .current(column: steps.prefix { $0.column != name }.reduce(0) { $0 + $1.width })
            }
        return try Self.wrap({ (error: Model.Error) in .model(error) }) { () throws(Model.Error) in
            try Model(inputs: inputs, pipeline: Pipeline(steps: steps), estimator: estimator)
        }
    }

    /// The features, then the column that is repeated if it is none of them.
    private func readings(
        of baseline: TrainingDefinition.Baseline, _ fold: Fold
    ) throws(Table.Error) -> (inputs: [Model.Input], steps: [Pipeline.Step]) {
        var steps = fold.plain.steps
        if case .current(let name) = baseline, !definition.features.contains(name) {
            steps += try Pipeline.fit(fold.trainingTable, features: [name], missing: definition.missing, scaled: false).steps
        }
        var inputs: [Model.Input] = []
        for step in steps { inputs.append(.init(name: step.column, type: try fold.trainingTable.column(step.column).type)) }
        return (inputs, steps)
    }
}
