package import Domain

/// Errors of predictions, summed as labels come: enough for mean errors and coverage, in constant memory.
package struct ErrorSums: Sendable, Equatable {
    /// Predictions that await or awaited a label.
    package private(set) var predictions = 0
    package private(set) var labelled = 0
    /// Whose label was null or did not come in time.
    package private(set) var missing = 0
    package private(set) var evicted = 0
    private var absolute = 0.0
    private var squared = 0.0
    private var signed = 0.0
    private var baselineLabelled = 0
    private var baselineAbsolute = 0.0
    private var baselineSquared = 0.0
    private var delay = 0.0

    package init() {}

    package mutating func addPrediction() { predictions += 1 }

    /// - Parameter baseline: What the baseline said when the prediction was made; `nil` when that is not known.
    package mutating func add(_ outcome: LabelJoin.Outcome, baseline: Double?) {
        switch outcome.end {
        case .missing: missing += 1
        case .evicted: evicted += 1
        case .labelled(let label, let delay):
            labelled += 1
            let error = outcome.prediction.output - label
            absolute += error.magnitude
            squared += error * error
            signed += error
            self.delay += Double(delay)
            guard let baseline else { return }
            baselineLabelled += 1
            baselineAbsolute += (baseline - label).magnitude
            baselineSquared += (baseline - label) * (baseline - label)
        }
    }

    /// Mean absolute error in the unit of the target; `nil` without labels.
    package var mae: Double? { mean(absolute, labelled) }
    /// Root of the mean squared error.
    package var rmse: Double? { mean(squared, labelled)?.squareRoot() }
    /// Positive when predictions are too high.
    package var meanError: Double? { mean(signed, labelled) }
    /// The same of the baseline, over the predictions that carried its value.
    package var baselineMAE: Double? { mean(baselineAbsolute, baselineLabelled) }
    package var baselineRMSE: Double? { mean(baselineSquared, baselineLabelled)?.squareRoot() }
    /// Of the settled predictions, the share that met a label; `nil` before the first is settled.
    package var coverage: Double? { mean(Double(labelled), labelled + missing + evicted) }
    /// Milliseconds of event time from the predicted moment to the label.
    package var meanDelay: Double? { mean(delay, labelled) }
    /// Predictions that still wait.
    package var open: Int { predictions - labelled - missing - evicted }

    private func mean(_ sum: Double, _ count: Int) -> Double? { count > 0 ? sum / Double(count) : nil }

    package func write(to writer: inout BinaryWriter) {
        for count in [predictions, labelled, missing, evicted, baselineLabelled] { writer.write(Int64(count)) }
        for sum in [absolute, squared, signed, baselineAbsolute, baselineSquared, delay] { writer.write(sum) }
    }

    package init(_ reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        predictions = Int(try reader.readInt())
        labelled = Int(try reader.readInt())
        missing = Int(try reader.readInt())
        evicted = Int(try reader.readInt())
        baselineLabelled = Int(try reader.readInt())
        absolute = try reader.readDouble()
        squared = try reader.readDouble()
        signed = try reader.readDouble()
        baselineAbsolute = try reader.readDouble()
        baselineSquared = try reader.readDouble()
        delay = try reader.readDouble()
    }
}
