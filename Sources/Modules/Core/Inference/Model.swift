package import Domain
package import Table

/// A model that predicts: named inputs, the fitted pipeline, the estimator.
///
/// One row and a table of rows go through the same arithmetic in the same order, so they agree to the last bit.
package struct Model: Sendable {
    package struct Input: Sendable, Hashable, Codable {
        package let name: String
        package let type: ValueType

        package init(name: String, type: ValueType) {
            self.name = name
            self.type = type
        }
    }

    package enum Estimator: Sendable {
        case boosted(BoostedModel)
        case linear(LinearModel)
        /// Predicts a column of the pipeline's matrix as it is.
        case current(column: Int)
        /// Predicts one number.
        case mean(Double)
    }

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// The estimator and the pipeline do not fit together.
        case mismatch(String)
        /// A row has another number of values than the model has inputs.
        case wrongCount(found: Int, expected: Int)
        case wrongType(input: String, found: ValueType, expected: ValueType)
        case noInput(String)

        package var description: String {
            switch self {
            case .mismatch(let reason): "the model contradicts itself: \(reason)"
            case .wrongCount(let found, let expected): "\(found) values for a model of \(expected) inputs"
            case .wrongType(let input, let found, let expected): "input \"\(input)\" is of type \(found.rawValue), not \(expected.rawValue)"
            case .noInput(let name): "input \"\(name)\" is missing"
            }
        }
    }

    /// In the order of ``predict(_:)-([Value])``'s row.
    package let inputs: [Input]
    package let pipeline: Pipeline
    package let estimator: Estimator

    /// - Throws: ``Error/mismatch(_:)`` unless the pipeline reads the inputs in order and feeds the estimator its width.
    package init(inputs: [Input], pipeline: Pipeline, estimator: Estimator) throws(Error) {
        guard inputs.map(\.name) == pipeline.steps.map(\.column) else { throw .mismatch("the pipeline does not read the inputs in order") }
        for (input, step) in zip(inputs, pipeline.steps) {
            let isText = if case .categorical = step { true } else { false }
            guard isText == (input.type == .string) else { throw .mismatch("the step of input \"\(input.name)\" is of another type") }
        }
        switch estimator {
        case .boosted(let model):
            guard model.featureCount == pipeline.width else {
                throw .mismatch("trees of \(model.featureCount) features on a matrix of \(pipeline.width) columns")
            }
        case .linear(let model):
            guard model.weights.count == pipeline.width else {
                throw .mismatch("\(model.weights.count) weights on a matrix of \(pipeline.width) columns")
            }
        case .current(let column):
            guard (0..<pipeline.width).contains(column) else { throw .mismatch("column \(column) of \(pipeline.width)") }
        case .mean: break
        }
        self.inputs = inputs
        self.pipeline = pipeline
        self.estimator = estimator
    }

    /// A model trained elsewhere: its features are the inputs, all numbers, and missing ones stay missing.
    /// - Parameter names: Used where the file names no features; `f0`, `f1`, … when `nil`.
    package init(_ boosted: BoostedModel, names: [String]? = nil) throws(Error) {
        let given = boosted.featureNames.isEmpty ? names : boosted.featureNames
        let names = given ?? (0..<boosted.featureCount).map { "f\($0)" }
        try self.init(
            inputs: names.map { Input(name: $0, type: .double) },
            pipeline: Pipeline(steps: names.map { .numeric(column: $0, imputer: nil, scaler: nil) }), estimator: .boosted(boosted))
    }

    /// Numbers a row predicts.
    package var outputCount: Int {
        if case .boosted(let model) = estimator { model.outputCount } else { 1 }
    }

    /// The first output of every row.
    package func predict(_ table: Table) throws(Error) -> [Double] {
        let outputs = try outputs(table)
        guard outputCount > 1 else { return outputs }
        return stride(from: 0, to: outputs.count, by: outputCount).map { outputs[$0] }
    }

    /// All outputs of every row, ``outputCount`` a row.
    package func outputs(_ table: Table) throws(Error) -> [Double] {
        let matrix: [Double]
        do throws(Table.Error) {
            matrix = try pipeline.matrix(table)
        } catch {
            throw Error(error)
        }
        return try outputs(matrix: matrix, rows: table.rowCount)
    }

    /// All outputs of rows that have gone through the pipeline.
    /// - Parameter matrix: Row-major, `rows` × the pipeline's width.
    package func outputs(matrix: [Double], rows: Int) throws(Error) -> [Double] {
        let width = pipeline.width
        guard matrix.count == rows * width else { throw .wrongCount(found: matrix.count, expected: rows * width) }
        switch estimator {
        case .boosted(let model):
            do throws(BoostedModel.Error) {
                return try model.predict(matrix: matrix.map(Float.init), rows: rows).map(Double.init)
            } catch {
                throw .mismatch(error.description)
            }
        case .linear(let model):
            return matrix.withUnsafeBufferPointer { matrix in
                guard let base = matrix.baseAddress, width > 0 else { return [Double](repeating: model.intercept, count: rows) }
                return (0..<rows).map { model.predict(base + $0 * width) }
            }
        case .current(let column): return (0..<rows).map { matrix[$0 * width + column] }
        case .mean(let value): return [Double](repeating: value, count: rows)
        }
    }

    /// The first output of one row; nothing is allocated for models of usual width.
    /// - Parameter row: One value an input, in order; null where missing.
    package func predict(_ row: [Value]) throws(Error) -> Double {
        try check(row)
        return withOutputs(row) { $0[0] }
    }

    /// All outputs of one row.
    package func outputs(_ row: [Value]) throws(Error) -> [Double] {
        try check(row)
        return withOutputs(row) { Array(UnsafeBufferPointer(start: $0, count: outputCount)) }
    }

    private func check(_ row: [Value]) throws(Error) {
        guard row.count == inputs.count else { throw .wrongCount(found: row.count, expected: inputs.count) }
        for (input, value) in zip(inputs, row) {
            guard let type = value.type, (type == .string) != (input.type == .string) else { continue }
            throw .wrongType(input: input.name, found: type, expected: input.type)
        }
    }

    private func withOutputs<Result>(_ row: [Value], _ use: (UnsafeMutablePointer<Double>) -> Result) -> Result {
        let width = pipeline.width
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: width + max(1, outputCount)) { scratch in
            guard let features = scratch.baseAddress else { preconditionFailure("the capacity is at least one") }
            let outputs = features + width
            features.initialize(repeating: 0, count: scratch.count)
            pipeline.encode(row, into: features)
            switch estimator {
            case .linear(let model): outputs[0] = model.predict(features)
            case .current(let column): outputs[0] = features[column]
            case .mean(let value): outputs[0] = value
            case .boosted(let model):
                withUnsafeTemporaryAllocation(of: Float.self, capacity: width + model.groupCount) { single in
                    guard let row = single.baseAddress else { return }
                    for index in 0..<width { (row + index).initialize(to: Float(features[index])) }
                    (row + width).initialize(repeating: 0, count: model.groupCount)
                    model.predict(row, into: row + width)
                    for index in 0..<model.outputCount { outputs[index] = Double(row[width + index]) }
                }
            }
            return use(outputs)
        }
    }
}

extension Model.Error {
    fileprivate init(_ error: Table.Error) {
        switch error {
        case .noColumn(let name, _): self = .noInput(name)
        case .typeMismatch(let column, let found, let expected): self = .wrongType(input: column, found: found, expected: expected)
        case .unequalLengths(let column, _, _), .duplicateColumn(let column): self = .noInput(column)
        }
    }
}
