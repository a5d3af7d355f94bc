import Foundation
import Testing
import Web

@testable import Tracking

@Suite struct OTLPTests {
    /// Two spans with a value of every kind, as OpenTelemetry's Python library wrote them.
    static let golden = """
        CrsDCjIKFQoMc2VydmljZS5uYW1lEgUKA3N2YwoZChJ0ZWxlbWV0cnkuc2RrLm5hbWUSAwoBeBKEAwoFCgNsaWISxAIKEAr3ZRkWzUPdhEjrIRyAMZwSCADw\
        Z6oLqQK3GgNhPWIqBHJvb3QwAjkVzYU9/pyXF0EVlyB5/pyXF0oPCgR0ZXh0EgcKBWjDpMOfShIKA2ludBILGP3//////////wFKEwoGZG91YmxlEgkhSK+8\
        mvLXej5KCgoEZmxhZxICEAFKDgoFYnl0ZXMSBToDAGEnShUKBGxpc3QSDSoLCgIYAQoDCgF4CgBKGQoDbWFwEhIyEAoOCgFrEgkhAAAAAAAAAEBKGQoLaW5w\
        dXQudmFsdWUSCgoIeyJxIjogMX1QBFo0CQDCFUL+nJcXEglleGNlcHRpb24aHgoOZXhjZXB0aW9uLnR5cGUSDAoKVmFsdWVFcnJvcmocChARERERERERERER\
        EREREREREggiIiIiIiIiInoIEgRib29tGAKFAQEBAAASNAoQCvdlGRbNQ92ESOshHIAxnBIIAPBnqgupArgiCADwZ6oLqQK3KgNraWQ5AKMLSP6clxc=
        """

    private func bytes() throws -> [UInt8] { Array(try #require(Data(base64Encoded: Self.golden))) }

    @Test func `every kind of value of a real exporter is read`() throws {
        let sent = try OTLPRequest(binary: try bytes())
        #expect(sent.spans.count == 2 && !sent.isEmpty)
        let root = sent.spans[0].span
        #expect(root.traceID == "tr-0af7651916cd43dd8448eb211c80319c" && root.id == "00f067aa0ba902b7" && root.parent == nil)
        #expect(root.name == "root" && root.status == .error && root.message == "boom")
        #expect(root.start == 1_700_000_000_123_456_789 && root.end == 1_700_000_001_123_456_789)
        let attributes = Dictionary(uniqueKeysWithValues: root.attributes.map { ($0.key, $0.json) })
        let expected = [
            "text": "\"häß\"", "int": "-3", "double": "1e-07", "flag": "true", "bytes": #""b\"\\x00a'\"""#, "list": #"[1, "x", null]"#,
            "map": #"{"k": 2.0}"#, "input.value": #"{"q": 1}"#, "mlflow.traceRequestId": #""tr-0af7651916cd43dd8448eb211c80319c""#,
        ]
        #expect(attributes == expected)
        let event = TraceSpan.Event(
            name: "exception", time: 1_700_000_000_200_000_000, attributes: [JSONValue.Member("exception.type", .string("ValueError"))])
        #expect(root.events == [event])
        #expect(root.links.map(\.traceID) == ["tr-" + String(repeating: "1", count: 32)])
        let child = sent.spans[1].span
        #expect(child.parent == root.id && child.end == nil && child.status == .unset)
        #expect(sent.spans[1].resource.map(\.key) == ["service.name", "telemetry.sdk.name"])
    }

    @Test func `the same as JSON is the same`() throws {
        let json = #"""
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},"scopeSpans":[{"spans":[{
            "traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"00f067aa0ba902b7","name":"root","startTimeUnixNano":"1700000000123456789",
            "endTimeUnixNano":1700000001123456789,"attributes":[{"key":"int","value":{"intValue":"-3"}},
            {"key":"list","value":{"arrayValue":{"values":[{"intValue":1},{"doubleValue":"NaN"}]}}},{"key":"none"}],
            "status":{"code":"STATUS_CODE_ERROR","message":"boom"}}]}]}]}
            """#
        let span = try OTLPRequest(json: try JSONReader.read(json.utf8)).spans[0].span
        #expect(span.traceID == "tr-0af7651916cd43dd8448eb211c80319c" && span.status == .error && span.end == 1_700_000_001_123_456_789)
        #expect(span.attribute("int") == "-3" && span.attribute("list") == "[1, NaN]" && span.attribute("none") == "null")
    }

    @Test(arguments: [
        ("", true), ("0a00", true), ("ffffff", false), ("0a05", false), ("0b", false), ("0801", false), ("0a0212ff", false),
        ("0affffffffffffffffff01", false), ("00", false), ("0a80808080808080808080", false),
    ])
    func `bytes that are no message are refused`(hex: String, isMessage: Bool) throws {
        let bytes = try #require(Hexadecimal.bytes(hex))
        let sent = try? OTLPRequest(binary: bytes)
        #expect((sent != nil) == isMessage)
    }

    @Test func `a span without an id or with a time beyond the calendar is unusable`() throws {
        for (trace, span, start) in [([], [1], 1), ([1], [], 1), ([UInt8](repeating: 1, count: 17), [1], 1), ([1], [1], UInt64.max)]
            as [([UInt8], [UInt8], UInt64)]
        {
            var draft = SpanDraft()
            (draft.trace, draft.id, draft.start) = (trace, span, start)
            #expect(draft.span == nil)
        }
    }

    @Test func `values nested without end are refused before the stack is`() {
        var value: [UInt8] = [0x10, 0x01]
        for _ in 0..<2_000 {
            value = [0x0A] + Self.varint(value.count) + value
            value = [0x2A] + Self.varint(value.count) + value
        }
        let pair: [UInt8] = [0x0A, 0x01, 0x61, 0x12] + Self.varint(value.count) + value
        let span: [UInt8] = [0x4A] + Self.varint(pair.count) + pair
        let scope: [UInt8] = [0x12] + Self.varint(span.count) + span
        let resource: [UInt8] = [0x12] + Self.varint(scope.count) + scope
        #expect(throws: OTLPRequest.Error.malformed) { try OTLPRequest(binary: [0x0A] + Self.varint(resource.count) + resource) }
    }

    private static func varint(_ number: Int) -> [UInt8] {
        var rest = number, bytes: [UInt8] = []
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// A real message with bytes changed, cut and put in at random: read or refused, nothing else.
    @Test func `damaged messages neither trap nor loop`() throws {
        var generator = SeededGenerator(seed: 21)
        let whole = try bytes()
        var read = 0
        for _ in 0..<20_000 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                guard damaged.count > 1 else { break }
                let at = Int.random(in: 0..<damaged.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: damaged[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: damaged.remove(at: at)
                case 2: damaged.insert(UInt8.random(in: 0...255, using: &generator), at: at)
                default: damaged.removeLast(min(at, damaged.count - 1))
                }
            }
            if let sent = try? OTLPRequest(binary: damaged) {
                read += 1
                for one in sent.spans { #expect(TraceSpan(content: one.span.content)?.id == one.span.id) }
            }
        }
        #expect(read > 100 && read < 19_000)
    }

    @Test func `a span comes back as it was stored, also from ids in digits`() throws {
        for one in try OTLPRequest(binary: try bytes()).spans {
            var span = one.span
            span.translate()
            #expect(TraceSpan(content: span.content) == span)
        }
        let old =
            #"{"trace_id": "tr-0af7651916cd43dd8448eb211c80319c", "span_id": "00f067aa0ba902b7", "parent_span_id": null, "name": "n", "start_time_unix_nano": 1, "end_time_unix_nano": 2, "status": {"code": "OK"}, "attributes": {"mlflow.spanType": "\"LLM\""}}"#
        let span = try #require(TraceSpan(content: old))
        #expect(span.traceID == "tr-0af7651916cd43dd8448eb211c80319c" && span.status == .ok && span.type == "LLM")
        #expect(TraceSpan(content: "{}") == nil && TraceSpan(content: "[") == nil)
    }

    @Test func `what other instrumentations say gets its name here`() throws {
        var draft = SpanDraft()
        (draft.trace, draft.id) = ([1], [2])
        draft.attributes = [
            .init("gen_ai.operation.name", .string("chat")), .init("gen_ai.usage.input_tokens", .int(10)),
            .init("gen_ai.usage.output_tokens", .int(5)), .init("gen_ai.request.model", .string("m")),
            .init("input.value", .string("{\"q\": 1}")),
        ]
        var span = try #require(draft.span)
        span.translate()
        #expect(span.type == "CHAT_MODEL" && span.text("mlflow.llm.model") == "m" && span.attribute("mlflow.spanInputs") == #"{"q": 1}"#)
        #expect(span.attribute("mlflow.chat.tokenUsage") == #"{"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}"#)
    }

    @Test func `text is written as Python writes it`() {
        let value = JSONValue.object([
            .init("a", .array([.int(1), .double(2), .double(1e16), .double(1e-5), .null, .bool(false)])),
            .init("ü\n", .string("\u{1}\"\\😀")),
        ])
        #expect(PythonJSON.text(value) == #"{"a": [1, 2.0, 1e+16, 1e-05, null, false], "ü\n": "\u0001\"\\😀"}"#)
        #expect(
            PythonJSON.text(value, isASCII: true) == #"{"a": [1, 2.0, 1e+16, 1e-05, null, false], "\u00fc\n": "\u0001\"\\\ud83d\ude00"}"#)
    }
}
