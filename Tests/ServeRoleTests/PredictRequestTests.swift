import Domain
import Inference
import Testing

@testable import ServeRole

@Suite struct PredictRequestTests {
    private static let inputs: [Model.Input] = [
        .init(name: "price", type: .double), .init(name: "trades", type: .int), .init(name: "side", type: .string),
    ]
    private static let key: [PredictRequest.KeyColumn] = [("pair", .string)]

    private func parse(
        _ text: String, inputs: [Model.Input] = inputs, key: [PredictRequest.KeyColumn] = key
    ) throws(ServeFailure) -> PredictRequest {
        try PredictRequest.parse(Array(text.utf8), inputs: inputs, key: key)
    }

    private func message(_ text: String, inputs: [Model.Input] = inputs) -> String {
        do {
            let request = try parse(text, inputs: inputs)
            return "accepted: \(request)"
        } catch {
            #expect(error.code == .invalid)
            return error.message
        }
    }

    @Test(arguments: [
        #"{"instances":[{"price":1.5,"trades":2,"side":"buy"}]}"#, #"{"instances":[{"side":"buy","trades":2,"price":1.5}]}"#,
        #"{"instances":[[1.5,2,"buy"]]}"#, #"{"instances":[{"pair":"X","price":1.5,"trades":2.0,"side":"buy"}]}"#,
        #" {"signature_name":"serving_default","instances":[[1.5,2,"buy"]]} "#, #"{"signature_name":"","instances":[[1.5,2,"buy"]]}"#,
    ])
    func `a row is given by name in any order, or as a list in the model's order`(text: String) throws {
        let request = try parse(text)
        #expect(request == PredictRequest(layout: .rows, instances: [.features([.double(1.5), .int(2), .string("buy")])]))
    }

    @Test(arguments: [
        #"{"inputs":{"price":[1.5,2],"trades":[2,3],"side":["buy",null]}}"#,
        #"{"inputs":{"price":[[1.5],[2]],"trades":[2,3],"side":["buy",null]}}"#,
        #"{"inputs":[[1.5,2,"buy"],[2,3,null]]}"#,
    ])
    func `columns mean the same as rows`(text: String) throws {
        #expect(
            try parse(text)
                == PredictRequest(
                    layout: .columns,
                    instances: [.features([.double(1.5), .int(2), .string("buy")]), .features([.double(2), .int(3), .null])]))
    }

    @Test func `scalars of the column format are one row`() throws {
        #expect(
            try parse(#"{"inputs":{"price":1,"trades":2,"side":"x"}}"#)
                == PredictRequest(layout: .columns, instances: [.features([.double(1), .int(2), .string("x")])]))
    }

    @Test(arguments: ["null", "NaN", "Infinity", "-Infinity"])
    func `null and the words for what is no number are missing`(text: String) throws {
        #expect(try parse("{\"instances\":[[\(text),null,null]]}").instances == [.features([.null, .null, .null])])
    }

    @Test func `only the key names an entity, in rows and in columns`() throws {
        #expect(
            try parse(#"{"instances":[{"pair":"XRP/ETH"},{"pair":"A"}]}"#).instances
                == [.entity([.string("XRP/ETH")]), .entity([.string("A")])])
        #expect(try parse(#"{"inputs":{"pair":["XRP/ETH","A"]}}"#).instances == [.entity([.string("XRP/ETH")]), .entity([.string("A")])])
    }

    @Test func `a model whose inputs are the key gets them as features`() throws {
        let request = try parse(#"{"instances":[{"pair":"A"}]}"#, inputs: [.init(name: "pair", type: .string)])
        #expect(request.instances == [.features([.string("A")])])
    }

    @Test func `a model of one input takes bare values`() throws {
        let request = try parse(#"{"instances":[1,2.5]}"#, inputs: [.init(name: "x", type: .double)])
        #expect(request.instances == [.features([.double(1)]), .features([.double(2.5)])])
    }

    @Test(arguments: [
        ("", "JSON Parse error: The document is empty"), ("  \n", "JSON Parse error: The document is empty"),
        ("instances = [1]", "JSON Parse error: Invalid value. expected a value at offset: 0"),
        ("[1]", "JSON Value: [1] Is not object"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        (
            #"{"instances":[],"inputs":[]}"#,
            #"JSON Value: {"instances":[],"inputs":[]} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "#
        ),
        (#"{"instances":1}"#, #"JSON Value: {"instances":1} Excepting 'instances' to be an list/array"#),
        (#"{"instances":[]}"#, #"JSON Value: {"instances":[]} No values in 'instances' array"#),
        (
            #"{"signature_name":7,"instances":[[1,2,"x"]]}"#,
            #"JSON Value: {"signature_name":7,"instances":[[1,2,"x"]]} not formatted correctly. 'signature_name' key must be a string value."#
        ),
        (#"{"signature_name":"x","instances":[[1,2,"x"]]}"#, #"Serving signature name: "x" not found in signature def"#),
        (
            #"{"instances":[["x",2,"y"]]}"#,
            #"Failed to process element: 0 key: price of 'instances' list. Error: JSON Value: "x" Type: String is not of expected type: float"#
        ),
        (
            #"{"instances":[{"price":1,"trades":2.5,"side":"y"}]}"#,
            "Failed to process element: 0 key: trades of 'instances' list. Error: JSON Value: 2.5 Type: Number is not of expected type: int64"
        ),
        (
            #"{"instances":[[1,2,"y"],[1,2,3]]}"#,
            "Failed to process element: 1 key: side of 'instances' list. Error: JSON Value: 3 Type: Number is not of expected type: string"
        ),
        (
            #"{"instances":[[1,2,"y"],[1,2]]}"#,
            "Failed to process element: 1 of 'instances' list. Error: Encountered list at unexpected size: 2 at level: 0 expected size: 3"
        ),
        (#"{"instances":[{"price":1,"trades":2,"side":"y"},[1,2,"y"]]}"#, "Expecting object but got list at item 1 of input list"),
        (#"{"instances":[[1,2,"y"],{"price":1,"trades":2,"side":"y"}]}"#, "Expecting value/list but got object at item 1 of input list"),
        (
            #"{"instances":[{"price":1,"trades":2}]}"#,
            #"Failed to process element: 0 of 'instances' list. JSON object: {"price":1,"trades":2} must only have keys: price,trades,side, or only: pair"#
        ),
        (#"{"inputs":{"price":[1],"trades":[2]}}"#, "Missing named input: side in 'inputs' object."),
        (#"{"inputs":{"price":[1,2],"trades":[2],"side":["a"]}}"#, "Expecting tensor size: 2 but got: 1 for input: trades"),
        (
            #"{"inputs":{"price":["x"],"trades":[2],"side":["a"]}}"#,
            #"JSON Value: "x" Type: String is not of expected type: float at row 0 of input price"#
        ),
        (
            #"{"inputs":[1,2,3]}"#,
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map"
        ),
    ])
    func `what is wrong is said in the protocol's words, with row and column`(text: String, expected: String) {
        #expect(message(text) == expected)
    }

    @Test func `an unknown name comes with the nearest known one`() {
        let text = message(#"{"instances":[{"prise":1,"trades":2,"side":"y"}]}"#)
        #expect(
            text.hasPrefix(
                "Failed to process element: 0 key: prise of 'instances' list. Error: JSON object: does not have named input: prise"))
        #expect(text.contains("price"))
    }

    @Test func `hostile bodies are refused, not followed`() {
        #expect(message(String(repeating: "[", count: 100_000)).hasPrefix("JSON Parse error"))
        #expect(message("{\"instances\":[[\"" + String(repeating: "x", count: 5_000) + "\",2,\"y\"]]}").utf8.count < 400)
    }
}
