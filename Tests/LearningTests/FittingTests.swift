import Domain
import Inference
import Learning
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
