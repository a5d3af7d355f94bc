import Inference
import Testing

struct BoostedModelTests {
    static let files = [
        "regression-3.2.ubj", "single-leaf-3.2.json", "logistic-3.2.ubj", "softprob-3.2.json", "softmax-3.2.ubj", "regression-1.7.ubj",
        "regression-1.7-json.json", "logistic-1.7.json",
    ]

    @Test(arguments: files)
    func `margins equal XGBoost's to the last bit`(file: String) throws {
        let model = try Fixtures.model(file)
        let expected = try Fixtures.expected(String(file.dropLast(file.hasSuffix(".ubj") ? 4 : 5)))
        #expect(try model.margins(matrix: expected.matrix, rows: expected.rows.count) == expected.margins)
    }

    @Test(arguments: files)
    func `predictions equal XGBoost's within the rounding of exp`(file: String) throws {
        let model = try Fixtures.model(file)
        let expected = try Fixtures.expected(String(file.dropLast(file.hasSuffix(".ubj") ? 4 : 5)))
        let predictions = try model.predict(matrix: expected.matrix, rows: expected.rows.count)
        #expect(predictions.count == expected.predictions.count)
        for (found, wanted) in zip(predictions, expected.predictions) { #expect(close(found, wanted)) }
    }

    @Test func `one row and a batch agree to the last bit`() throws {
        let model = try Fixtures.model("softprob-3.2.json")
        let expected = try Fixtures.expected("softprob-3.2")
        let batch = try model.predict(matrix: expected.matrix, rows: expected.rows.count)
        for (index, row) in expected.rows.enumerated() {
            #expect(try model.predict(row: row.map { $0 ?? .nan }) == Array(batch[index * 3..<index * 3 + 3]))
        }
    }

    @Test func `a file tells features, classes and trees`() throws {
        let model = try Fixtures.model("softmax-3.2.ubj")
        #expect(model.featureNames == ["a", "b", "c", "d"])
        #expect(model.featureCount == 4)
        #expect(model.groupCount == 3)
        #expect(model.outputCount == 1)
        #expect(model.treeCount == 9)
        #expect(model.objective == .softmax)
        #expect(try Fixtures.model("regression-1.7.ubj").featureNames == [])
    }

    @Test func `a matrix of another size is refused`() throws {
        let model = try Fixtures.model("regression-3.2.ubj")
        #expect(throws: BoostedModel.Error.malformed("3 values are not 1 rows of 4")) { try model.predict(row: [1, 2, 3]) }
        #expect(try model.predict(matrix: [], rows: 0) == [])
    }

    @Test func `what cannot be evaluated exactly is refused by name`() throws {
        #expect(throws: BoostedModel.Error.unsupported("categorical splits")) { try Fixtures.model("categorical-3.2.json") }
        #expect(throws: BoostedModel.Error.unsupported("booster gblinear")) { try Fixtures.model("linear-3.2.json") }
        #expect(throws: BoostedModel.Error.unsupported("objective rank:ndcg")) {
            try BoostedModel(bytes: Array(document(objective: "rank:ndcg").utf8))
        }
    }

    @Test(arguments: ["0.25", "\"2.5E-1\"", "\"[2.5E-1]\"", "[0.25]"])
    func `base_score is read in every form XGBoost has used`(score: String) throws {
        #expect(try BoostedModel(bytes: Array(document(score: score).utf8)).predict(row: [0]) == [1.25])
    }

    @Test func `a value equal to the threshold goes right and a missing one where the node says`() throws {
        let model = try BoostedModel(bytes: Array(document().utf8))
        #expect(try model.predict(row: [Float(1.5).nextDown]) == [1.5])
        #expect(try model.predict(row: [1.5]) == [2.5])
        #expect(try model.predict(row: [.nan]) == [2.5])
        #expect(try BoostedModel(bytes: Array(document(defaultLeft: "[1,0,0]").utf8)).predict(row: [.nan]) == [1.5])
        #expect(try model.predict(row: [-.infinity]) == [1.5])
    }

    @Test(arguments: [
        document(left: "[0,-1,-1]"), document(left: "[2,-1,-1]"), document(left: "[1,1,-1]"), document(left: "[9,-1,-1]"),
        document(left: "[-2,-1,-1]"),
        document(left: "[0.5,-1,-1]"), document(left: "[1,-1]"), document(indices: "[1,0,0]"), document(indices: "[-1,0,0]"),
        document(conditions: "[1.5,NaN,2]"),
        document(score: "\"x\""), document(score: "[]"), document(score: "null"), document(treeInfo: "[3]"), document(treeInfo: "[]"),
        document(features: "\"-1\""),
        document(features: "1e30"), "{}", "{\"learner\":{}}",
    ])
    func `a damaged model is refused, not followed`(text: String) {
        #expect(throws: BoostedModel.Error.self) { try BoostedModel(bytes: Array(text.utf8)) }
    }
}

/// One tree of three nodes on one feature: below 1.5 adds 1, else 2; base score 0.5.
func document(
    objective: String = "reg:squarederror", score: String = "0.5", features: String = "\"1\"", left: String = "[1,-1,-1]",
    indices: String = "[0,0,0]", conditions: String = "[1.5,1.0,2.0]", defaultLeft: String = "[0,0,0]", treeInfo: String = "[0]"
) -> String {
    """
    {"learner": {"feature_names": [], "gradient_booster": {"name": "gbtree", "model": {"tree_info": \(treeInfo), "trees": [
    {"left_children": \(left), "right_children": [2,-1,-1], "split_indices": \(indices), "split_conditions": \(conditions),
    "default_left": \(defaultLeft), "split_type": [0,0,0]}]}},
    "learner_model_param": {"base_score": \(score), "num_class": "0", "num_feature": \(features)},
    "objective": {"name": "\(objective)"}}, "version": [3,0,0]}
    """
}
