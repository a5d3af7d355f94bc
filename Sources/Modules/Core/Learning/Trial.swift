package import Inference

/// One setting of one candidate, judged by cross-validation inside the training rows.
package struct Trial: Sendable {
    package let candidate: TrainingDefinition.Candidate
    /// Name and value, in the order of the candidate's search.
    package let parameters: [(name: String, value: Double)]
    /// One a fold that was run, lower is better; infinite where the fit failed.
    package let foldScores: [Double]
    /// Given up after the first fold, so far behind that the others could not change the choice. Never the best.
    package let isPruned: Bool

    package var kind: TrainingDefinition.Candidate.Kind { candidate.kind }

    package var score: Double {
        foldScores.isEmpty ? .infinity : foldScores.reduce(0, +) / Double(foldScores.count)
    }

    package func parameter(_ name: String) -> Double? { parameters.first { $0.name == name }?.value }

    package var description: String {
        ([candidate.description] + parameters.map { "\($0.name)=\(Gate.Verdict.short($0.value))" }).joined(separator: " ")
    }
}

/// A fitted estimator and, for trees, the library's own file.
package struct FittedModel: Sendable {
    package let model: Model
    /// UBJSON, byte for byte as the library gave it; `nil` for models that are not forests.
    package let trees: [UInt8]?
}
