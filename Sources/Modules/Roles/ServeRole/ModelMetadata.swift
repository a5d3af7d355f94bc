import Domain
import Inference
import Web

/// The answer to `/metadata`: the model's inputs and outputs as TensorFlow Serving describes tensors.
struct ModelMetadata {
    private let served: ServedModel

    init(_ served: ServedModel) { self.served = served }

    var json: [UInt8] {
        JSONWriter.object { writer in
            writer.key("model_spec")
            writer.object { writer in
                writer.field("name", served.version.model)
                writer.field("signature_name", "")
                writer.field("version", served.number)
            }
            writer.key("metadata")
            // The protocol names the map and its entry alike.
            nested(&writer, ["signature_def", "signature_def", PredictRequest.signature]) { writer in
                writer.key("inputs")
                writer.object { writer in
                    for input in served.model.inputs {
                        writer.key(input.name)
                        Self.tensor(&writer, name: input.name, type: Self.type(input.type), columns: 1)
                    }
                }
                writer.key("outputs")
                writer.object { writer in
                    writer.key("output")
                    Self.tensor(&writer, name: "output", type: "DT_FLOAT", columns: served.model.outputCount)
                }
                writer.field("method_name", "tensorflow/serving/predict")
            }
        }
    }

    private func nested(_ writer: inout JSONWriter, _ keys: [String], _ body: (inout JSONWriter) -> Void) {
        guard let first = keys.first else { return writer.object(body) }
        writer.object { writer in
            writer.key(first)
            nested(&writer, Array(keys.dropFirst()), body)
        }
    }

    private static func tensor(_ writer: inout JSONWriter, name: String, type: String, columns: Int) {
        writer.object { writer in
            writer.field("dtype", type)
            writer.key("tensor_shape")
            writer.object { writer in
                writer.key("dim")
                writer.array { writer in
                    for size in columns == 1 ? [-1] : [-1, columns] {
                        writer.object { writer in
                            writer.field("size", String(size))
                            writer.field("name", "")
                        }
                    }
                }
                writer.field("unknown_rank", false)
            }
            writer.field("name", name + ":0")
        }
    }

    private static func type(_ type: ValueType) -> String {
        switch type {
        case .double: "DT_FLOAT"
        case .int, .time: "DT_INT64"
        case .bool: "DT_BOOL"
        case .string: "DT_STRING"
        }
    }
}
