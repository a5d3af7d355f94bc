import Domain
import Inference
import Learning
import Statistics
import Table
import Testing

struct FittingTests {
    static let missing = TrainingDefinition.Missing(numeric: .median, categorical: "UNKNOWN", rejectRowsAbove: 1)

    @Test(arguments: [
        (TrainingDefinition.Missing.Numeric.median, 2.5), (.mean, 3.25), (.constant(-1), -1),
    ])
    func `a missing number is filled as the rule says, from present values only`(rule: TrainingDefinition.Missing.Numeric, fill: Double) {
        let imputer = NumericImputer.fit([1, .nan, 2, 3, .nan, 7], rule)
        #expect(imputer.fill == fill)
        #expect(imputer.apply(.nan) == fill)
        #expect(imputer.apply(9) == 9)
    }

    @Test func `a column without any value is filled with 0`() {
        #expect(NumericImputer.fit([.nan], .median).fill == 0)
        #expect(NumericImputer.fit([], .mean).fill == 0)
    }

    @Test func `scaling gives mean 0 and deviation 1 on the training rows`() {
        let values = [2.0, 4, 4, 4, 5, 5, 7, 9]
        let scaler = StandardScaler.fit(values)
        #expect(scaler == StandardScaler(mean: 5, deviation: 2))
        #expect(StandardScaler.fit([3, 3, 3]) == StandardScaler(mean: 3, deviation: 1))
    }

    @Test func `the most frequent categories are kept, in name order`() {
        let encoder = OneHotEncoder.fit(["c", "b", "a", "c", "b", "d", "c"], maxCategories: 3)
        #expect(encoder.categories == ["a", "b", "c"])
        #expect(encoder.position(of: "d") == nil)
        #expect(OneHotEncoder.fit((0..<300).map(String.init)).categories.count == Pipeline.maxCategories)
    }

    @Test func `a fit learns from the rows it is given and from no other`() throws {
        let all = try Table([
            Column("x", doubles: [1, nil, 3, 1_000]), Column("pair", strings: ["A", "B", nil, "TEST ONLY"]),
            Column("n", ints: [5, 6, nil, 900]),
        ])
        let pipeline = try Pipeline.fit(all.slice(0..<3), features: ["n", "x", "pair"], missing: Self.missing, scaled: true)
        #expect(
            pipeline.steps == [
                .numeric(column: "n", imputer: NumericImputer(fill: 5.5), scaler: StandardScaler.fit([5, 6, 5.5])),
                .numeric(column: "x", imputer: NumericImputer(fill: 2), scaler: StandardScaler.fit([1, 2, 3])),
                .categorical(
                    column: "pair", imputer: CategoricalImputer(fill: "UNKNOWN"), encoder: OneHotEncoder(categories: ["A", "B", "UNKNOWN"])),
            ])
        #expect(try Pipeline.fit(all, features: ["x"], missing: Self.missing, scaled: false).steps.count == 1)
        #expect(throws: Table.Error.self) { try Pipeline.fit(all, features: ["y"], missing: Self.missing, scaled: false) }
    }
}

/// Values computed with numpy from the normal equations.
struct RidgeTests {
    static let matrix: [Double] = [1, 2, 0, 2, 1, 1, 3, 5, 0, 4, 3, 1, 5, 8, 0, 6, 1, 1]
    static let labels: [Double] = [3, 1, 8, 5, 13, 2.5]

    @Test(arguments: [
        (0.0, [0.3392857142857143, 1.4642857142857146, -0.6249999999999993], -0.3392857142857153),
        (1, [0.293896321070234, 1.4727424749163884, -0.3308528428093634], -0.35568561872909843),
        (10, [0.25518262586377105, 1.2144619940769992, -0.1791707798617965], 0.5649062191510357),
    ])
    func `weights solve the penalised normal equations and the constant is free`(alpha: Double, weights: [Double], intercept: Double) throws
    {
        let model = try Ridge(matrix: Self.matrix, columns: 3, labels: Self.labels).solve(alpha: alpha)
        for (found, wanted) in zip(model.weights, weights) { #expect((found - wanted).magnitude < 1e-12) }
        #expect((model.intercept - intercept).magnitude < 1e-11)
    }

    @Test func `a huge penalty leaves the mean`() throws {
        let model = try Ridge(matrix: Self.matrix, columns: 3, labels: Self.labels).solve(alpha: 1e12)
        #expect((model.intercept - 32.5 / 6).magnitude < 1e-9)
    }

    @Test func `the same column twice needs a penalty`() throws {
        let ridge = try Ridge(matrix: [1, 1, 2, 2, 3, 3], columns: 2, labels: [1, 2, 3])
        #expect(throws: Ridge.Error.singular(alpha: 0)) { try ridge.solve(alpha: 0) }
        let model = try ridge.solve(alpha: 0.5)
        #expect(model.weights[0] == model.weights[1])
    }

    @Test func `bad input is named`() {
        #expect(throws: Ridge.Error.sizes(values: 3, rows: 2, columns: 2)) { try Ridge(matrix: [1, 2, 3], columns: 2, labels: [1, 2]) }
        #expect(throws: Ridge.Error.sizes(values: 0, rows: 0, columns: 1)) { try Ridge(matrix: [], columns: 1, labels: []) }
        #expect(throws: Ridge.Error.notFinite) { try Ridge(matrix: [1, .nan], columns: 1, labels: [1, 2]) }
    }
}

/// Weights computed with numpy by least squares of the divided rows, the penalty as further rows.
struct RelativeRidgeTests {
    static let matrix: [Double] = [100, 3, 102, 1, 0.5, 2, 0.52, 5, 7, 4, 50, 6]
    static let labels: [Double] = [101, 103, 0.51, 0.53, 7.2, 50.5]
    static let units: [Double] = [100, 102, 0.5, 0.52, 7, -50]

    @Test(arguments: [
        (0.0, [1.0142251758851557, -3.599860643716873e-05], 0.0031106520488536397),
        (0.01, [1.011579852803139, 7.418055864944951e-06], 0.004360916373932109),
        (1, [0.812662353371776, 0.00949055143205534], 0.06644660206172286),
    ])
    func `weights minimise the squared relative error and the penalty of columns scaled alike`(
        alpha: Double, weights: [Double], intercept: Double
    ) throws {
        let model = try RelativeRidge(matrix: Self.matrix, columns: 2, labels: Self.labels, units: Self.units).solve(alpha: alpha)
        for (found, wanted) in zip(model.weights, weights) { #expect((found - wanted).magnitude < 1e-11) }
        #expect((model.intercept - intercept).magnitude < 1e-11)
    }

    @Test func `a row without a unit, or with 0, is left out`() throws {
        let ridge = try RelativeRidge(
            matrix: [1e9, -1e9] + Self.matrix + [-1e9, 1e9], columns: 2, labels: [1e9] + Self.labels + [1e9],
            units: [.nan] + Self.units + [0])
        let wanted = try RelativeRidge(matrix: Self.matrix, columns: 2, labels: Self.labels, units: Self.units)
        let (found, expected) = (try ridge.solve(alpha: 0.1), try wanted.solve(alpha: 0.1))
        #expect(found == expected)
    }

    @Test func `series of every scale get the same rule, and the small ones are not drowned`() throws {
        // Ten steps ahead lies 1.5 times the level less half of the one before, for prices of 60,000 and of 0.0002.
        var random = RandomSource(seed: 5)
        var matrix: [Double] = [], labels: [Double] = [], units: [Double] = []
        for row in 0..<600 {
            let scale = [60_000, 3_000, 0.0002][row % 3]
            let now = scale * (1 + random.uniform() / 100), before = now * (1 + (random.uniform() - 0.5) / 1_000)
            matrix += [now, before]
            labels.append(1.5 * now - 0.5 * before)
            units.append(now)
        }
        let model = try RelativeRidge(matrix: matrix, columns: 2, labels: labels, units: units).solve(alpha: 1e-6)
        for row in 0..<600 {
            let predicted = model.weights[0] * matrix[row * 2] + model.weights[1] * matrix[row * 2 + 1] + model.intercept
            #expect((predicted / labels[row] - 1).magnitude < 1e-4)
        }
    }

    @Test(arguments: [1e-9, 1e-6, 1])
    func `columns that repeat each other need a penalty, however small`(alpha: Double) throws {
        let matrix = (1...200).flatMap { [Double($0), Double($0), 2 * Double($0)] }
        let levels = (1...200).map(Double.init)
        let ridge = try RelativeRidge(matrix: matrix, columns: 3, labels: levels, units: levels)
        #expect(throws: Ridge.Error.singular(alpha: 0)) { try ridge.solve(alpha: 0) }
        let weights = try ridge.solve(alpha: alpha).weights
        #expect((weights[0] + weights[1] + 2 * weights[2] - 1).magnitude < 0.01)
        #expect((weights[0] - weights[1]).magnitude < 1e-4)
    }

    @Test func `bad input is named`() {
        #expect(throws: Ridge.Error.sizes(values: 2, rows: 0, columns: 1)) {
            try RelativeRidge(matrix: [1, 2], columns: 1, labels: [1, 2], units: [0, .nan])
        }
        #expect(throws: Ridge.Error.sizes(values: 1, rows: 2, columns: 1)) {
            try RelativeRidge(matrix: [1], columns: 1, labels: [1, 2], units: [1, 2])
        }
        #expect(throws: Ridge.Error.sizes(values: 2, rows: 1, columns: 1)) {
            try RelativeRidge(matrix: [1, 2], columns: 1, labels: [1, 2], units: [1])
        }
        #expect(throws: Ridge.Error.notFinite) { try RelativeRidge(matrix: [1, .nan], columns: 1, labels: [1, 2], units: [1, 2]) }
    }
}
