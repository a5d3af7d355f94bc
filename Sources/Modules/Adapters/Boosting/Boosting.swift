import CXGBoost
import Domain
package import Learning

/// Gradient-boosted regression trees by XGBoost's C library.
///
/// Training blocks its thread for its whole length. Source: T. Chen and C. Guestrin, "XGBoost: A Scalable Tree Boosting
/// System", KDD 2016, <https://doi.org/10.1145/2939672.2939785>.
package enum Boosting {
    /// ``fit(_:_:_:threads:)`` on one thread.
    ///
    /// XGBoost's threads spin while they wait for each other, so they are a loss where the process has other work to do:
    /// on a busy machine with two cores, two threads took 2 to 9 times as long as one for 50,000 to 1,000,000 rows of ten
    /// columns. Whoever has cores to spare runs several trials side by side instead.
    package static let fit: BoostedTrees.Fit = { matrix, labels, parameters in
        try fit(matrix, labels, parameters, threads: 1)
    }

    /// Fits trees to squared error, starting from the mean of the labels.
    ///
    /// The unit of the labels does not matter: the library sees them with mean 0 and deviation 1 (see ``LabelScale``), and
    /// the model it returns is rewritten to predict the labels. `alpha`, `gamma` and `max_delta_step` therefore act on the
    /// standardised labels; `lambda` and `min_child_weight` weigh rows and know no unit; `base_score` is in the unit of the
    /// labels. Predictions are sums in single precision that start from the mean, so they are no finer than it allows: about
    /// 0.06 for labels around 1e6.
    ///
    /// The same input, parameters and seed give the same bytes.
    /// - Parameters:
    ///   - labels: One finite number a row.
    ///   - threads: 0 for as many as there are cores.
    /// - Returns: The model as UBJSON, with the matrix's column names as feature names.
    /// - Throws: ``BoostingError``; `CancellationError` when the task is cancelled between two rounds.
    package static func fit(
        _ matrix: BoostedTrees.Matrix, _ labels: [Float], _ parameters: BoostedTrees.Parameters, threads: Int
    ) throws -> [UInt8] {
        try check(matrix, labels, parameters)
        let scale = LabelScale(labels)
        let start = parameters.other["base_score"] ?? scale.mean
        var scaled = parameters
        scaled.other["base_score"] = scale.standardised(start)
        let model = try grow(matrix, labels.map { Float(scale.standardised(Double($0))) }, scaled, threads: threads)
        return try scale.restored(model, startingAt: start)
    }

    /// The library's own model of these labels; `base_score` is among the parameters.
    static func grow(
        _ matrix: BoostedTrees.Matrix, _ labels: [Float], _ parameters: BoostedTrees.Parameters, threads: Int
    ) throws -> [UInt8] {
        try silence()
        let data = try DenseMatrix(matrix, threads: threads)
        try data.setLabels(labels)
        let booster = try Booster([data.handle])
        for (name, value) in settings(parameters, threads: threads) { try booster.set(name, value) }
        try booster.setFeatureNames(matrix.names.map(featureName))
        for round in 0..<parameters.rounds {
            try Task.checkCancellation()
            try booster.update(round: round, data)
        }
        return try booster.save()
    }

    /// The library's own predictions, one a row: what our evaluator is compared with.
    /// - Parameter model: XGBoost's UBJSON or JSON.
    package static func predict(_ model: [UInt8], _ matrix: BoostedTrees.Matrix, threads: Int = 1) throws(BoostingError) -> [Float] {
        try silence()
        let data = try DenseMatrix(matrix, threads: threads)
        let booster = try Booster()
        try booster.load(model)
        try booster.set("nthread", "\(threads)")
        return try booster.predict(data)
    }

    /// Names that ``BoostedTrees/Parameters/other`` may have. The library takes any name in silence, so that a typing
    /// error would train with the default.
    package static let otherParameters: Set<String> = [
        "alpha", "base_score", "colsample_bylevel", "colsample_bynode", "colsample_bytree", "gamma", "lambda", "max_bin",
        "max_delta_step", "max_leaves", "min_child_weight", "num_parallel_tree", "subsample",
    ]

    private static func check(
        _ matrix: BoostedTrees.Matrix, _ labels: [Float], _ parameters: BoostedTrees.Parameters
    ) throws(BoostingError) {
        func refuse(_ message: String) -> BoostingError { BoostingError(.invalidInput, "train", message) }
        guard labels.count == matrix.rows else { throw refuse("\(labels.count) labels for \(matrix.rows) rows") }
        guard labels.allSatisfy(\.isFinite) else { throw refuse("a label is not a finite number") }
        guard !matrix.values.contains(where: \.isInfinite) else { throw refuse("a value is infinite") }
        guard matrix.names.count == matrix.columns else { throw refuse("\(matrix.names.count) names for \(matrix.columns) columns") }
        guard Set(matrix.names).count == matrix.names.count else { throw refuse("two columns have one name") }
        guard parameters.rounds >= 1 else { throw refuse("\(parameters.rounds) rounds") }
        for name in parameters.other.keys.sorted() where !otherParameters.contains(name) {
            throw refuse("unknown parameter \"\(name)\"" + SpellingSuggestion.hint(for: name, among: Array(otherParameters)))
        }
    }

    private static func settings(_ parameters: BoostedTrees.Parameters, threads: Int) -> [(name: String, value: String)] {
        var settings = [
            ("objective", "reg:squarederror"), ("verbosity", "0"), ("nthread", "\(threads)"),
            // Rows are binned once, and the sums of a bin do not depend on how many threads add them up (see the tests).
            ("tree_method", "hist"), ("max_depth", "\(parameters.maxDepth)"), ("eta", "\(parameters.eta)"),
            ("seed", "\(parameters.seed % (1 << 31))"),
        ]
        for (name, value) in parameters.other.sorted(by: { $0.key < $1.key }) {
            settings.append((name, Int(exactly: value).map { "\($0)" } ?? "\(value)"))
        }
        return settings
    }

    /// XGBoost's clients refuse these three characters in a feature name.
    private static func featureName(_ column: String) -> String {
        var name = ""
        for character in column.unicodeScalars {
            switch character {
            case "[": name += "%5B"
            case "]": name += "%5D"
            case "<": name += "%3C"
            default: name.unicodeScalars.append(character)
            }
        }
        return name
    }

    /// The library logs to standard error unless told not to, each thread for itself.
    private static func silence() throws(BoostingError) {
        try BoostingError.check(XGBSetGlobalConfig(#"{"verbosity":0}"#), "configure the library")
    }
}
