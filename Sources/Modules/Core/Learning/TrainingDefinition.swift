package import Domain

/// What to learn and how to judge it, as declared under `training:`; types only, no behaviour.
package struct TrainingDefinition: Sendable {
    package enum Task: String, Sendable, CaseIterable { case regression }

    /// A range to search, or a fixed value when the two bounds are equal.
    package struct ParameterRange: Sendable, Hashable {
        package enum Scale: String, Sendable { case int, linear, log }
        package let name: String
        package let scale: Scale
        package let lower: Double
        package let upper: Double

        package init(name: String, scale: Scale, lower: Double, upper: Double) {
            self.name = name
            self.scale = scale
            self.lower = lower
            self.upper = upper
        }
    }

    package struct Candidate: Sendable, Hashable, CustomStringConvertible {
        package enum Kind: String, Sendable, CaseIterable { case xgboost, ridge }
        package let kind: Kind
        package let search: [ParameterRange]
        /// The column in whose unit a ridge counts its errors, row by row; `nil` for the target's own.
        package let relativeTo: String?

        package init(kind: Kind, search: [ParameterRange], relativeTo: String? = nil) {
            self.kind = kind
            self.relativeTo = relativeTo
            self.search = search
        }

        /// `xgboost`, `ridge`, `ridge relative to close`.
        package var description: String { kind.rawValue + (relativeTo.map { " relative to \($0)" } ?? "") }
    }

    package enum Baseline: Sendable, Hashable, CustomStringConvertible {
        /// Predicts the present value of a feature column.
        case current(String)
        /// Predicts the mean of the training target.
        case mean

        package var description: String {
            switch self {
            case .current(let column): "current(\(column))"
            case .mean: "mean"
            }
        }
    }

    package enum Metric: String, Sendable, CaseIterable { case mae, rmse }

    package struct Missing: Sendable, Hashable {
        package enum Numeric: Sendable, Hashable { case median, mean, constant(Double) }
        package let numeric: Numeric
        /// The text that stands for a missing category.
        package let categorical: String
        /// Training stops when more than this share of rows has a missing input (warm-up and unlabelled rows apart).
        package let rejectRowsAbove: Double

        package init(numeric: Numeric, categorical: String, rejectRowsAbove: Double) {
            self.numeric = numeric
            self.categorical = categorical
            self.rejectRowsAbove = rejectRowsAbove
        }
    }

    package struct Split: Sendable, Hashable {
        package enum Kind: String, Sendable, CaseIterable { case time, random }
        package let kind: Kind
        /// Share of the rows, the latest ones, that only the gate sees.
        package let test: Double
        /// Expanding-window validation folds inside the rest.
        package let folds: Int

        package init(kind: Kind, test: Double, folds: Int) {
            self.kind = kind
            self.test = test
            self.folds = folds
        }
    }

    package struct Budget: Sendable, Hashable {
        package let trials: Int
        package let seconds: Double
        package let seed: UInt64

        package init(trials: Int, seconds: Double, seed: UInt64) {
            self.trials = trials
            self.seconds = seconds
            self.seed = seed
        }
    }

    package struct Gate: Sendable, Hashable {
        /// In the unit of the metric; the lower bound of the interval of the improvement must exceed it.
        package let minImprovement: Double
        package let confidence: Double
        package let minTestRows: Int
        /// Upper limit of the time for one row, microseconds; `nil` for none.
        package let maxLatencyMicroseconds: Double?
        /// Columns whose groups are judged and reported one by one.
        package let slices: [String]

        package init(
            minImprovement: Double, confidence: Double, minTestRows: Int, maxLatencyMicroseconds: Double?, slices: [String]
        ) {
            self.minImprovement = minImprovement
            self.confidence = confidence
            self.minTestRows = minTestRows
            self.maxLatencyMicroseconds = maxLatencyMicroseconds
            self.slices = slices
        }
    }

    package let view: String
    package let targetName: String
    /// How far ahead the target lies, milliseconds; 0 when it is a column of the row itself.
    package let horizon: EventTime.Milliseconds
    package let task: Task
    /// Input columns in order: declared `features:`, or every column of the view but the key, the window's times,
    /// the excluded and the target.
    package let features: [String]
    package let missing: Missing
    package let split: Split
    package let metric: Metric
    package let baselines: [Baseline]
    package let candidates: [Candidate]
    package let budget: Budget
    package let gate: Gate
    /// Name of the registered model.
    package let model: String

    package init(
        view: String, targetName: String, horizon: EventTime.Milliseconds, task: Task, features: [String], missing: Missing,
        split: Split, metric: Metric, baselines: [Baseline], candidates: [Candidate], budget: Budget, gate: Gate, model: String
    ) {
        self.view = view
        self.targetName = targetName
        self.horizon = horizon
        self.task = task
        self.features = features
        self.missing = missing
        self.split = split
        self.metric = metric
        self.baselines = baselines
        self.candidates = candidates
        self.budget = budget
        self.gate = gate
        self.model = model
    }
}

extension TrainingDefinition {
    /// This definition with another budget.
    package func with(_ budget: Budget) -> TrainingDefinition {
        TrainingDefinition(
            view: view, targetName: targetName, horizon: horizon, task: task, features: features, missing: missing, split: split,
            metric: metric, baselines: baselines, candidates: candidates, budget: budget, gate: gate, model: model)
    }
}
