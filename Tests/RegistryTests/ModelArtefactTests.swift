import Domain
import Foundation
import Inference
@testable import Registry
import Table
import Testing

struct ModelArtefactTests {
    static let metadata = ModelArtefactMetadata(
        name: "price", kind: "xgboost", task: "regression", view: "indicators", key: ["pair"], target: "price_in_10_minutes",
        horizon: 600_000, definitionHashes: ["a": "00ff"], trainedFrom: 1, learntUntil: 99, trainingRows: 400, run: "abc",
        createdAt: 1_700_000_000_123, snapshots: [.init(topic: "indicators", partition: 0, first: 3, next: 9)])

    static func forest() throws -> (model: BoostedModel, bytes: [UInt8]) {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let bytes = Array(try Data(contentsOf: tests.appending(path: "Fixtures/Inference/regression-3.2.ubj")))
        return (try BoostedModel(bytes: bytes), bytes)
    }

    static func artefact() throws -> ModelArtefact {
        let (forest, bytes) = try forest()
        let names = ["a", "b", "c", "d"]
        let model = try Model(
            inputs: names.map { .init(name: $0, type: $0 == "b" ? .int : .double) },
            pipeline: Pipeline(steps: names.map { .numeric(column: $0, imputer: NumericImputer(fill: 0.5), scaler: nil) }),
            estimator: .boosted(forest))
        return ModelArtefact(metadata: metadata, model: model, trees: bytes, example: [.double(1), .int(2), .null, .double(-0.5)])
    }

    struct Missing: Error { let path: String }

    /// A directory in memory.
    static func fetch(_ files: [(path: String, bytes: [UInt8])]) -> (String) async throws -> [UInt8] {
        { path in
            guard let file = files.first(where: { $0.path == path }) else { throw Missing(path: path) }
            return file.bytes
        }
    }

    @Test func `a model comes back with everything it needs`() async throws {
        let artefact = try Self.artefact()
        let reference = try Table([Column("a", doubles: [1, nil, 3]), Column("prediction", doubles: [4, 5, 6])])
        let files = try artefact.files(reference: reference, report: Array("<p>".utf8))
        #expect(
            files.map(\.path) == [
                "mlops.json", "pipeline.json", "model.ubj", "input_example.json", "reference.parquet", "report.html", "MLmodel",
                "checksums.json",
            ])
        let back = try await ModelArtefact.read(Self.fetch(files))
        #expect(back.metadata == artefact.metadata)
        #expect(back.model.inputs == artefact.model.inputs)
        #expect(back.model.pipeline == artefact.model.pipeline)
        let row: [Value] = [.double(0.3), .int(4), .null, .double(2)]
        #expect(try back.model.predict(row) == artefact.model.predict(row))
        #expect(try await ModelArtefact.reference(Self.fetch(files)) == reference)
    }

    @Test func `a model without trees needs no model.ubj and may have no reference`() async throws {
        let model = try Model(inputs: [], pipeline: Pipeline(steps: []), estimator: .mean(3.5))
        let files = try ModelArtefact(metadata: Self.metadata, model: model, trees: nil).files(reference: nil, report: nil)
        #expect(files.map(\.path) == ["mlops.json", "pipeline.json", "MLmodel", "checksums.json"])
        let back = try await ModelArtefact.read(Self.fetch(files))
        #expect(try back.model.predict([Value]()) == 3.5)
        #expect(try await ModelArtefact.reference(Self.fetch(files)) == nil)
    }

    @Test(arguments: ["mlops.json", "pipeline.json", "model.ubj"])
    func `a changed byte is found before the model is used`(path: String) async throws {
        var files = try Self.artefact().files(reference: nil, report: nil)
        let index = try #require(files.firstIndex { $0.path == path })
        files[index].bytes[files[index].bytes.count / 2] ^= 1
        await #expect(throws: ModelArtefact.Error.damaged(path: path)) { try await ModelArtefact.read(Self.fetch(files)) }
    }

    @Test func `a damaged reference is an error of its own and leaves the model readable`() async throws {
        var files = try Self.artefact().files(reference: Table([Column("a", doubles: [1])]), report: nil)
        let index = try #require(files.firstIndex { $0.path == "reference.parquet" })
        files[index].bytes[10] ^= 1
        _ = try await ModelArtefact.read(Self.fetch(files))
        await #expect(throws: ModelArtefact.Error.damaged(path: "reference.parquet")) {
            try await ModelArtefact.reference(Self.fetch(files))
        }
    }

    @Test func `a missing file is the store's own error`() async throws {
        let files = try Self.artefact().files(reference: nil, report: nil).filter { $0.path != "model.ubj" }
        await #expect(throws: Missing.self) { try await ModelArtefact.read(Self.fetch(files)) }
    }

    @Test func `a model logged by the Python client loads without our files`() async throws {
        let (_, bytes) = try Self.forest()
        let text = """
            artifact_path: model
            flavors:
              python_function:
                data: model.xgb
                loader_module: mlflow.xgboost
              xgboost:
                code: null
                data: model.xgb
                model_format: ubj
            run_id: 0123
            signature:
              inputs: '[{"name": "data: x"}]'
            """
        let artefact = try await ModelArtefact.read(Self.fetch([("MLmodel", Array(text.utf8)), ("model.xgb", bytes)]))
        #expect(artefact.model.inputs.map(\.name) == ["a", "b", "c", "d"])
        #expect(artefact.metadata.run == "0123")
        #expect(artefact.metadata.learntUntil == nil)
        #expect(try await ModelArtefact.reference(Self.fetch([("MLmodel", Array(text.utf8))])) == nil)
    }

    @Test func `another flavour is refused`() async throws {
        let text = "flavors:\n  sklearn:\n    data: model.pkl\n"
        await #expect(throws: ModelArtefact.Error.noFlavour) { try await ModelArtefact.read(Self.fetch([("MLmodel", Array(text.utf8))])) }
    }

    @Test func `MLmodel tells mlflow how to load the trees`() throws {
        let text = ArtefactMLmodel(try Self.artefact(), bytes: 12).text
        #expect(
            text == #"""
                artifact_path: model
                flavors:
                  mlops:
                    data: pipeline.json
                    metadata: mlops.json
                    kind: "xgboost"
                  python_function:
                    data: model.ubj
                    loader_module: mlflow.xgboost
                  xgboost:
                    code: null
                    data: model.ubj
                    model_class: xgboost.core.Booster
                    model_format: ubj
                model_size_bytes: 12
                run_id: "abc"
                saved_input_example_info:
                  artifact_path: input_example.json
                  pandas_orient: split
                  type: dataframe
                signature:
                  inputs: "[{\"type\": \"double\", \"name\": \"a\", \"required\": false}, {\"type\": \"double\", \"name\": \"b\", \"required\": false}, {\"type\": \"double\", \"name\": \"c\", \"required\": false}, {\"type\": \"double\", \"name\": \"d\", \"required\": false}]"
                  outputs: "[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"float32\", \"shape\": [-1]}}]"
                  params: null
                utc_time_created: "2023-11-14 22:13:20.123"

                """#)
    }

    @Test func `Python gets no plain function where the matrix is not the inputs`() throws {
        let (forest, bytes) = try Self.forest()
        let steps: [Pipeline.Step] = [
            .categorical(column: "pair", imputer: CategoricalImputer(fill: "U"), encoder: OneHotEncoder(categories: ["A", "B", "C", "D"]))
        ]
        let model = try Model(inputs: [.init(name: "pair", type: .string)], pipeline: Pipeline(steps: steps), estimator: .boosted(forest))
        let text = ArtefactMLmodel(ModelArtefact(metadata: Self.metadata, model: model, trees: bytes), bytes: 0).text
        #expect(!text.contains("python_function") && text.contains("xgboost.core.Booster"))
    }

    @Test func `equal models give equal bytes`() throws {
        let first = try Self.artefact().files(reference: nil, report: nil)
        let second = try Self.artefact().files(reference: nil, report: nil)
        #expect(first.map(\.bytes) == second.map(\.bytes))
    }
}
