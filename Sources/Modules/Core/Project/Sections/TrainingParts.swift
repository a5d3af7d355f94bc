import Domain
import Learning

/// The parts of `training:` that stand for themselves. Each has a default for the whole and for every key.
enum TrainingParts {
    private static let share = "a share from 0 to 1"

    static func missing(_ item: Item?, _ reader: inout ProjectReader) -> TrainingDefinition.Missing? {
        guard let item else { return TrainingDefinition.Missing(numeric: .median, categorical: "UNKNOWN", rejectRowsAbove: 0.01) }
        guard let section = reader.section(item, keys: ["numeric", "categorical", "reject_rows_above"]) else { return nil }
        let numeric =
            section["numeric"].map { item in
                reader.form(item, "median, mean or constant(NUMBER)") { text -> TrainingDefinition.Missing.Numeric? in
                    if text == "median" { return .median }
                    if text == "mean" { return .mean }
                    return constant(text).flatMap(ValueForms.number).map { .constant($0) }
                }
            } ?? .median
        let categorical = section["categorical"].map { reader.form($0, "constant(TEXT)", constant) } ?? "UNKNOWN"
        let reject = section["reject_rows_above"].map { reader.number($0, share) { (0...1).contains($0) } } ?? 0.01
        guard let numeric, let categorical, let reject else { return nil }
        return TrainingDefinition.Missing(numeric: numeric, categorical: categorical, rejectRowsAbove: reject)
    }

    private static func constant(_ text: String) -> String? {
        guard let call = ValueForms.call(text), call.name == "constant", call.arguments.count == 1 else { return nil }
        return call.arguments[0]
    }

    static func split(_ item: Item?, _ reader: inout ProjectReader) -> TrainingDefinition.Split? {
        guard let item else { return TrainingDefinition.Split(kind: .time, test: 0.2, folds: 3) }
        guard let section = reader.section(item, keys: ["kind", "test", "folds"]) else { return nil }
        let kind = section["kind"].map { reader.choice($0, "kind of split", as: TrainingDefinition.Split.Kind.self) } ?? .time
        let test = section["test"].map { reader.number($0, "a share from 0.01 to 0.9") { (0.01...0.9).contains($0) } } ?? 0.2
        let folds = section["folds"].map { reader.integer($0, 1...20) } ?? 3
        guard let kind, let test, let folds else { return nil }
        return TrainingDefinition.Split(kind: kind, test: test, folds: folds)
    }

    static func budget(_ item: Item?, _ reader: inout ProjectReader) -> TrainingDefinition.Budget? {
        guard let item else { return TrainingDefinition.Budget(trials: 30, seconds: 120, seed: 1) }
        guard let section = reader.section(item, keys: ["trials", "seconds", "seed"]) else { return nil }
        let trials = section["trials"].map { reader.integer($0, 1...100_000) } ?? 30
        let seconds = section["seconds"].map { reader.number($0, "a positive number of seconds") { $0 > 0 } } ?? 120
        let seed = section["seed"].map { reader.integer($0, 0...Int.max) } ?? 1
        guard let trials, let seconds, let seed else { return nil }
        return TrainingDefinition.Budget(trials: trials, seconds: seconds, seed: UInt64(seed))
    }

    static func gate(_ item: Item?, _ reader: inout ProjectReader) -> TrainingDefinition.Gate? {
        guard let item else {
            return TrainingDefinition.Gate(minImprovement: 0, confidence: 0.95, minTestRows: 200, maxLatencyMicroseconds: nil, slices: [])
        }
        let keys = ["min_improvement", "confidence", "min_test_rows", "max_latency_us", "slices"]
        guard let section = reader.section(item, keys: keys) else { return nil }
        let improvement =
            section["min_improvement"].map { reader.number($0, "a number from 0 on, in the unit of the metric") { $0 >= 0 } } ?? 0
        let confidence =
            section["confidence"].map { reader.number($0, "a number from 0.5 to 0.999") { (0.5...0.999).contains($0) } } ?? 0.95
        let rows = section["min_test_rows"].map { reader.integer($0, 1...Int.max) } ?? 200
        let latency = section["max_latency_us"].map { reader.number($0, "a positive number of microseconds") { $0 > 0 } }
        let slices = section["slices"].map { reader.texts($0)?.map(\.text) } ?? []
        guard let improvement, let confidence, let rows, let slices else { return nil }
        if section["max_latency_us"] != nil, latency == .some(nil) { return nil }
        return TrainingDefinition.Gate(
            minImprovement: improvement, confidence: confidence, minTestRows: rows, maxLatencyMicroseconds: latency ?? nil, slices: slices)
    }
}
