import Domain
import Inference
import Table
import Testing

struct ModelTests {
    static let pipeline = Pipeline(steps: [
        .numeric(column: "x", imputer: NumericImputer(fill: 4), scaler: StandardScaler(mean: 2, deviation: 4)),
        .categorical(
            column: "pair", imputer: CategoricalImputer(fill: "UNKNOWN"), encoder: OneHotEncoder(categories: ["A", "UNKNOWN", "Z"])),
        .numeric(column: "n", imputer: nil, scaler: nil),
    ])
    static let inputs = [Model.Input(name: "x", type: .double), .init(name: "pair", type: .string), .init(name: "n", type: .int)]

    static func table() throws -> Table {
        try Table([
            Column("n", ints: [1, 2, nil]), Column("pair", strings: ["Z", nil, "other"]), Column("x", doubles: [10, nil, 2]),
        ])
    }

    @Test func `a table is filled, scaled and spread column by column`() throws {
        let matrix = try Self.pipeline.matrix(Self.table())
        #expect(Array(matrix[0..<5]) == [2, 0, 0, 1, 1])
        #expect(Array(matrix[5..<10]) == [0.5, 0, 1, 0, 2])
        #expect(Array(matrix[10..<14]) == [0, 0, 0, 0])
        #expect(matrix[14].isNaN)
        #expect(Self.pipeline.outputNames == ["x", "pair=A", "pair=UNKNOWN", "pair=Z", "n"])
    }

    @Test func `an unknown category is all zeros`() throws {
        let model = try Model(
            inputs: Self.inputs, pipeline: Self.pipeline, estimator: .linear(LinearModel(weights: [1, 10, 100, 1_000, 0], intercept: 0.5)))
        #expect(try model.predict([.double(2), .string("nobody"), .int(0)]) == 0.5)
        #expect(try model.predict([.double(2), .string("Z"), .int(0)]) == 1_000.5)
        #expect(try model.predict([.double(2), .null, .int(0)]) == 100.5)
    }

    @Test func `one row and a table agree to the last bit`() throws {
        let table = try Self.table()
        for estimator in [
            Model.Estimator.linear(LinearModel(weights: [0.1, 0.7, -1.3, 2.9, 0], intercept: 0.3)), .current(column: 0), .mean(7.25),
        ] {
            let model = try Model(inputs: Self.inputs, pipeline: Self.pipeline, estimator: estimator)
            let batch = try model.predict(table)
            for row in 0..<2 { #expect(try model.predict(Self.inputs.map { try table.column($0.name)[row] }) == batch[row]) }
        }
    }

    @Test func `a boosted model without pipeline takes its features as inputs and keeps missing ones missing`() throws {
        let model = try Model(Fixtures.model("regression-3.2.ubj"))
        let expected = try Fixtures.expected("regression-3.2")
        #expect(model.inputs.map(\.name) == ["a", "b", "c", "d"])
        for (row, wanted) in zip(expected.rows, expected.predictions) {
            #expect(Float(try model.predict(row.map { $0.map { .double(Double($0)) } ?? .null })) == wanted)
        }
    }

    @Test func `a model of several classes gives all of them`() throws {
        let model = try Model(Fixtures.model("softprob-3.2.json"))
        let outputs = try model.outputs([.double(0), .int(1), .null, .double(2)])
        #expect(outputs.count == 3)
        #expect((outputs.reduce(0, +) - 1).magnitude < 1e-6)
        #expect(try model.predict([.double(0), .int(1), .null, .double(2)]) == outputs[0])
    }

    @Test func `rows that do not fit the inputs are refused by name`() throws {
        let model = try Model(inputs: Self.inputs, pipeline: Self.pipeline, estimator: .mean(1))
        #expect(throws: Model.Error.wrongCount(found: 1, expected: 3)) { try model.predict([.null]) }
        #expect(throws: Model.Error.wrongType(input: "x", found: .string, expected: .double)) {
            try model.predict([.string("1"), .null, .null])
        }
        #expect(throws: Model.Error.wrongType(input: "pair", found: .int, expected: .string)) {
            try model.predict([.null, .int(1), .null])
        }
        #expect(throws: Model.Error.noInput("x")) { try model.predict(Table([Column("y", doubles: [1])])) }
    }

    @Test func `parts that do not fit together make no model`() {
        #expect(throws: Model.Error.self) { try Model(inputs: [], pipeline: Self.pipeline, estimator: .mean(1)) }
        #expect(throws: Model.Error.self) {
            try Model(inputs: Self.inputs, pipeline: Self.pipeline, estimator: .linear(LinearModel(weights: [1], intercept: 0)))
        }
        #expect(throws: Model.Error.self) { try Model(inputs: Self.inputs, pipeline: Self.pipeline, estimator: .current(column: 5)) }
    }

    @Test(arguments: [
        Model.Estimator.linear(LinearModel(weights: [0.1, 1.0 / 3, -1e-300, 2, 5e20], intercept: .pi)), .current(column: 4), .mean(-0.1),
    ])
    func `pipeline.json gives the same model back`(estimator: Model.Estimator) throws {
        let model = try Model(inputs: Self.inputs, pipeline: Self.pipeline, estimator: estimator)
        let bytes = try PipelineFile(model).encoded()
        let back = try PipelineFile(bytes: bytes).model(trees: nil)
        #expect(back.inputs == model.inputs)
        #expect(back.pipeline == model.pipeline)
        #expect(try back.predict(Self.table())[..<2] == model.predict(Self.table())[..<2])
        #expect(try PipelineFile(back).encoded() == bytes)
    }

    @Test func `pipeline.json of trees needs the trees`() throws {
        let trees = try Fixtures.model("regression-3.2.ubj")
        let file = try PipelineFile(bytes: PipelineFile(Model(trees)).encoded())
        #expect(file.needsTrees)
        #expect(try file.model(trees: trees).outputCount == 1)
        #expect(throws: PipelineFile.Error.invalid("model.ubj is missing")) { try file.model(trees: nil) }
    }

    @Test(arguments: ["", "[]", "{\"schema\":\"mlops-pipeline/2\",\"inputs\":[],\"steps\":[],\"estimator\":{\"kind\":\"mean\"}}"])
    func `another schema or no JSON is refused`(text: String) {
        #expect(throws: PipelineFile.Error.self) { try PipelineFile(bytes: Array(text.utf8)) }
    }

    @Test(arguments: [
        #"{"kind":"linear","weights":[1]}"#, #"{"kind":"linear","weights":[1,2],"intercept":0}"#, #"{"kind":"current","column":-1}"#,
        #"{"kind":"magic"}"#,
    ])
    func `an estimator that contradicts the pipeline is refused`(estimator: String) throws {
        let text = """
            {"schema":"mlops-pipeline/1","inputs":[{"name":"x","type":"double"}],"steps":[{"column":"x","kind":"numeric"}],"estimator":\(estimator)}
            """
        let file = try PipelineFile(bytes: Array(text.utf8))
        #expect(throws: PipelineFile.Error.self) { try file.model(trees: nil) }
    }
}
