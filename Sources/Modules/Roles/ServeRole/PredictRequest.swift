package import Domain
package import Inference
import Web

/// The body of a `:predict` call, checked against the model's inputs.
package struct PredictRequest: Sendable, Equatable {
    package enum Layout: Sendable, Equatable {
        /// `instances`: one entry a row.
        case rows
        /// `inputs`: one list a column.
        case columns
    }

    package enum Instance: Sendable, Equatable {
        /// Only the key: the features are looked up.
        case entity([Value])
        /// One value an input, in the model's order; null where missing.
        case features([Value])
    }

    package let layout: Layout
    /// Never empty.
    package let instances: [Instance]

    /// A column of the key that rows are looked up by.
    package typealias KeyColumn = (name: String, type: ValueType)

    /// - Parameters:
    ///   - key: Empty when nothing can be looked up.
    /// - Throws: ``ServeFailure`` with code `invalid`, worded as TensorFlow Serving words it, and naming row and column.
    package static func parse(_ body: [UInt8], inputs: [Model.Input], key: [KeyColumn]) throws(ServeFailure) -> PredictRequest {
        let document = try document(body)
        if let signature = document["signature_name"] {
            guard let name = signature.string else {
                throw ServeFailure(
                    .invalid,
                    "JSON Value: \(RequestText.of(document)) not formatted correctly. 'signature_name' key must be a string value.")
            }
            guard name.isEmpty || name == Self.signature else {
                throw ServeFailure(.invalid, "Serving signature name: \"\(name)\" not found in signature def")
            }
        }
        let shape = RequestShape(inputs: inputs, key: key)
        switch (document["instances"], document["inputs"]) {
        case (.some, .some):
            throw ServeFailure(
                .invalid,
                "JSON Value: \(RequestText.of(document)) Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
            )
        case (let instances?, nil):
            guard let items = instances.array else {
                throw ServeFailure(.invalid, "JSON Value: \(RequestText.of(document)) Excepting 'instances' to be an list/array")
            }
            guard !items.isEmpty else {
                throw ServeFailure(.invalid, "JSON Value: \(RequestText.of(document)) No values in 'instances' array")
            }
            return PredictRequest(layout: .rows, instances: try shape.instances(items))
        case (nil, let inputs?): return PredictRequest(layout: .columns, instances: try shape.columns(inputs))
        case (nil, nil): throw ServeFailure(.invalid, "Missing 'inputs' or 'instances' key")
        }
    }

    /// The one signature that a model has.
    package static var signature: String { "serving_default" }

    private static func document(_ body: [UInt8]) throws(ServeFailure) -> JSONValue {
        guard !body.isEmpty else { throw ServeFailure(.invalid, "JSON Parse error: The document is empty") }
        let document: JSONValue
        do throws(JSONReader.Error) {
            document = try JSONReader.read(body)
        } catch {
            let isBlank = body.allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
            throw ServeFailure(
                .invalid,
                isBlank
                    ? "JSON Parse error: The document is empty"
                    : "JSON Parse error: Invalid value. \(error.message) at offset: \(error.offset)")
        }
        guard document.members != nil else { throw ServeFailure(.invalid, "JSON Value: \(RequestText.of(document)) Is not object") }
        return document
    }
}

/// JSON values as error messages show them.
enum RequestText {
    private static let limit = 120

    static func of(_ value: JSONValue) -> String {
        var writer = JSONWriter()
        writer.value(value)
        let text = String(decoding: writer.bytes, as: UTF8.self)
        return text.count > limit ? text.prefix(limit) + "…" : text
    }

    static func type(_ value: JSONValue) -> String {
        switch value {
        case .null: "Null"
        case .bool(let flag): flag ? "True" : "False"
        case .int, .double: "Number"
        case .string: "String"
        case .array: "Array"
        case .object: "Object"
        }
    }

    /// TensorFlow's name of a type in messages.
    static func name(_ type: ValueType) -> String {
        switch type {
        case .double: "float"
        case .int, .time: "int64"
        case .bool: "bool"
        case .string: "string"
        }
    }
}
