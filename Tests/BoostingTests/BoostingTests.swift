import Boosting
import Domain
import Learning
import Testing

@Suite struct BoostingTests {
    /// `rows` rows of three columns in [0, 1), the third missing in every fifth row, and y = 1000 + 10·a − 4·b.
    private static func sample(rows: Int, seed: UInt64 = 7) -> (matrix: BoostedTrees.Matrix, labels: [Float]) {
        var state = seed
        func next() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 24)
        }
        var values: [Float] = [], labels: [Float] = []
        for row in 0..<rows {
            let a = next(), b = next(), c = next()
            values += [a, b, row % 5 == 0 ? .nan : c]
            labels.append(1_000 + 10 * a - 4 * b)
        }
        return (BoostedTrees.Matrix(values: values, rows: rows, columns: 3, names: ["a", "b", "kind=<[c]>"]), labels)
    }

    private let parameters = BoostedTrees.Parameters(maxDepth: 4, eta: 0.3, rounds: 40, other: ["subsample": 0.8], seed: 7)

    @Test func `a smooth function is learned`() throws {
        let (matrix, labels) = Self.sample(rows: 2_000)
        let predictions = try Boosting.predict(Boosting.fit(matrix, labels, parameters), matrix)
        let error = zip(predictions, labels).map { abs($0 - $1) }.reduce(0, +) / Float(labels.count)
        #expect(error < 0.15)
    }

    @Test func `training starts from the mean of the labels`() throws {
        let (matrix, labels) = Self.sample(rows: 200)
        let one = BoostedTrees.Parameters(maxDepth: 1, eta: 1e-6, rounds: 1, seed: 1)
        let predictions = try Boosting.predict(Boosting.fit(matrix, labels, one), matrix)
        let mean = labels.reduce(0, +) / Float(labels.count)
        #expect(predictions.allSatisfy { abs($0 - mean) < 0.01 })
    }

    @Test func `one seed gives one model to the byte, another another`() throws {
        let (matrix, labels) = Self.sample(rows: 3_000)
        let first = try Boosting.fit(matrix, labels, parameters)
        #expect(try Boosting.fit(matrix, labels, parameters) == first)
        var other = parameters
        other.seed = 8
        #expect(try Boosting.fit(matrix, labels, other) != first)
    }

    @Test func `the number of threads does not change the model`() throws {
        let (matrix, labels) = Self.sample(rows: 20_000)
        let one = try Boosting.fit(matrix, labels, parameters, threads: 1)
        for threads in 2...4 { #expect(try Boosting.fit(matrix, labels, parameters, threads: threads) == one) }
    }

    @Test func `the model carries the names of the columns`() throws {
        let (matrix, labels) = Self.sample(rows: 100)
        let text = String(decoding: try Boosting.fit(matrix, labels, parameters), as: UTF8.self)
        #expect(text.contains("feature_names"))
        #expect(text.contains("kind=%3C%5Bc%5D>"))
    }

    @Test func `what makes no sense is refused before the library sees it`() {
        let (matrix, labels) = Self.sample(rows: 10)
        func message(_ matrix: BoostedTrees.Matrix, _ labels: [Float], _ change: (inout BoostedTrees.Parameters) -> Void = { _ in })
            -> String?
        {
            var changed = parameters
            change(&changed)
            do {
                _ = try Boosting.fit(matrix, labels, changed)
                return nil
            } catch {
                return (error as? BoostingError).map { "\($0)" }
            }
        }
        #expect(message(matrix, Array(labels.dropLast())) == "cannot train: 9 labels for 10 rows")
        #expect(message(matrix, labels.map { $0 > 1_003 ? .nan : $0 }) == "cannot train: a label is not a finite number")
        #expect(
            message(.init(values: [1, 2], rows: 10, columns: 3, names: matrix.names), labels)
                == "cannot read the matrix: 2 values for 10 rows of 3")
        #expect(
            message(.init(values: matrix.values, rows: 10, columns: 3, names: ["a", "a", "b"]), labels)
                == "cannot train: two columns have one name")
        #expect(
            message(matrix, labels) { $0.other = ["subsampel": 0.5] }
                == "cannot train: unknown parameter \"subsampel\"; did you mean \"subsample\"?")
        #expect(message(matrix, labels) { $0.rounds = 0 } == "cannot train: 0 rounds")
        #expect(message(.init(values: [], rows: 0, columns: 3, names: matrix.names), [])?.contains("0 rows") == true)
    }

    @Test func `the library's own complaint is passed on`() throws {
        let (matrix, labels) = Self.sample(rows: 10)
        var bad = parameters
        bad.other = ["subsample": 7]
        #expect(throws: BoostingError.self) { try Boosting.fit(matrix, labels, bad) }
        #expect(throws: BoostingError.self) { try Boosting.predict(Array("{\"learner\":".utf8), matrix) }
    }

    @Test func `a cancelled task stops between two rounds`() async {
        let (matrix, labels) = Self.sample(rows: 100)
        let task = Task { [parameters] in
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try Boosting.fit(matrix, labels, parameters)
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
