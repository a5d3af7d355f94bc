import Domain
import Inference

/// The `MLmodel` file of an artefact: YAML that tells mlflow's clients how to load it.
///
/// Source: MLflow documentation, "MLflow Models: Storage Format", and what mlflow 3 itself writes for XGBoost models.
struct ArtefactMLmodel {
    let text: String

    /// - Parameter bytes: Size of the other files together.
    init(_ artefact: ModelArtefact, bytes: Int) {
        let metadata = artefact.metadata
        var lines = ["artifact_path: model", "flavors:"]
        lines += ["  mlops:", "    data: \(ModelArtefact.pipelinePath)", "    metadata: \(ModelArtefact.metadataPath)"]
        lines += ["    kind: \(Self.quoted(metadata.kind))"]
        if artefact.trees != nil {
            if Self.isPlain(artefact.model) {
                // Only where Python's xgboost, fed the raw columns, sees the matrix that the trees were trained on.
                lines += ["  python_function:", "    data: \(ModelArtefact.treesPath)", "    loader_module: mlflow.xgboost"]
            }
            lines += ["  xgboost:", "    code: null", "    data: \(ModelArtefact.treesPath)"]
            lines += ["    model_class: xgboost.core.Booster", "    model_format: ubj"]
        }
        lines += ["model_size_bytes: \(bytes)"]
        if !metadata.run.isEmpty { lines += ["run_id: \(Self.quoted(metadata.run))"] }
        if !artefact.example.isEmpty {
            lines += [
                "saved_input_example_info:", "  artifact_path: \(ModelArtefact.examplePath)", "  pandas_orient: split", "  type: dataframe",
            ]
        }
        lines += ["signature:", "  inputs: \(Self.quoted(Self.inputs(artefact.model)))"]
        lines += ["  outputs: \(Self.quoted(Self.outputs(artefact.model)))", "  params: null"]
        let created = EventTime.format(metadata.createdAt).replacing("T", with: " ").replacing("Z", with: "")
        lines += ["utc_time_created: \(Self.quoted(created))"]
        text = lines.joined(separator: "\n") + "\n"
    }

    /// Whether the matrix is the inputs themselves, but for missing values.
    private static func isPlain(_ model: Model) -> Bool {
        model.pipeline.steps.allSatisfy { step in
            if case .numeric(_, _, nil) = step { true } else { false }
        }
    }

    private static func inputs(_ model: Model) -> String {
        let columns = model.inputs.map { input in
            #"{"type": "\#(type(input.type))", "name": \#(quoted(input.name)), "required": false}"#
        }
        return "[" + columns.joined(separator: ", ") + "]"
    }

    private static func outputs(_ model: Model) -> String {
        let isBoosted = if case .boosted = model.estimator { true } else { false }
        let shape = model.outputCount > 1 ? "[-1, \(model.outputCount)]" : "[-1]"
        return #"[{"type": "tensor", "tensor-spec": {"dtype": "\#(isBoosted ? "float32" : "float64")", "shape": \#(shape)}}]"#
    }

    /// mlflow's name of a column type. Integers with gaps are doubles in pandas, so numbers are declared as doubles.
    private static func type(_ type: ValueType) -> String {
        switch type {
        case .bool: "boolean"
        case .int, .double, .time: "double"
        case .string: "string"
        }
    }

    /// A JSON string, which is a double-quoted YAML scalar too.
    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONText.append(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The few lines of an `MLmodel` that loading depends on, whoever wrote it.
    struct Summary: Equatable {
        var isOurs = false
        /// The model file of the XGBoost flavour.
        var xgboostData: String?
        var run: String?

        /// Keys are told by their indentation, which every writer of block YAML keeps; anything else is passed over.
        init(_ text: String) {
            var section = ""
            var flavour = ""
            for line in text.split(whereSeparator: \.isNewline) {
                let indentation = line.prefix { $0 == " " }.count
                guard let colon = line.firstIndex(of: ":") else { continue }
                let key = String(line[..<colon].drop { $0 == " " })
                let value = line[line.index(after: colon)...].filter { $0 != "\"" && $0 != "'" && $0 != " " }
                switch indentation {
                case 0:
                    section = key
                    if key == "run_id" { run = value }
                case 2 where section == "flavors":
                    flavour = key
                    if key == "mlops" { isOurs = true }
                case 4 where section == "flavors" && flavour == "xgboost" && key == "data": xgboostData = value
                default: break
                }
            }
        }
    }
}
