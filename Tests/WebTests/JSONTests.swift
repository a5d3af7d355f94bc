import Testing

@testable import Web

@Suite struct JSONTests {
    private func read(_ text: String) throws(JSONReader.Error) -> JSONValue { try JSONReader.read(text.utf8) }

    @Test func `a text becomes the tree it says`() throws {
        let value = try read(#" {"a":[1,-2.5,1e3,true,null],"b":{"c":"x\n\u00e9\ud83d\ude00\/"},"a2":9223372036854775808} "#)
        #expect(value["a"] == .array([.int(1), .double(-2.5), .double(1_000), .bool(true), .null]))
        #expect(value["b"]?["c"] == .string("x\né😀/"))
        #expect(value["a2"] == .double(9_223_372_036_854_775_808))
    }

    @Test func `of a key given twice the last counts`() throws {
        #expect(try read(#"{"a":1,"a":2}"#)["a"] == .int(2))
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\" 1}", "{a:1}", "01", "1.", "1e", "-", "tru", "\"\u{1}\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
        "\"", "1 2",
        "{\"a\":1,}", "+1", ".5",
    ])
    func `text that is not JSON is refused`(text: String) {
        #expect(throws: JSONReader.Error.self) { try read(text) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONReader.Error.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
    }

    @Test func `deep nesting is refused instead of exhausting the stack`() {
        #expect(throws: JSONReader.Error.self) { try read(String(repeating: "[", count: 100_000)) }
    }

    @Test func `numbers that JSON cannot say come and go as text`() throws {
        let value = try read(#"["NaN","Infinity","-Infinity",NaN,Infinity,-Infinity]"#)
        let numbers = (value.array ?? []).compactMap(\.number)
        #expect(numbers.count == 6 && numbers[0].isNaN && numbers[1] == .infinity && numbers[2] == -.infinity && numbers[5] == -.infinity)
        let text = JSONWriter.object { $0.field("a", Double.nan) }
        #expect(String(decoding: text, as: UTF8.self) == #"{"a":"NaN"}"#)
    }

    @Test func `whole numbers may be written as text, as protocol buffers do`() throws {
        #expect(try read(#"{"t":"1700000000000"}"#)["t"]?.int64 == 1_700_000_000_000)
        #expect(try read(#"{"t":"x"}"#)["t"]?.int64 == nil)
    }

    @Test func `what is written reads back equal`() throws {
        let value = try read(#"{"a":[1,-2.5,{"b":"\"\\\u0007"}],"c":{},"d":[],"e":null,"f":false}"#)
        var writer = JSONWriter()
        writer.value(value)
        #expect(try JSONReader.read(writer.bytes) == value)
    }

    @Test func `missing fields and empty lists are left out`() {
        let text = JSONWriter.object { writer in
            writer.field("a", nil as String?)
            writer.list("b", [] as [Int64]) { $0.value($1) }
            writer.list("c", [1, 2] as [Int64]) { $0.value($1) }
            writer.field("d", true)
        }
        #expect(String(decoding: text, as: UTF8.self) == #"{"c":[1,2],"d":true}"#)
    }
}

@Suite struct RetryPolicyTests {
    @Test func `waits double up to the cap and end with the last try`() {
        let policy = RetryPolicy(attempts: 5, base: .milliseconds(100), cap: .milliseconds(350))
        #expect(
            (1...5).map { policy.delay(afterFailures: $0, jitter: 1) } == [
                .milliseconds(100), .milliseconds(200), .milliseconds(350), .milliseconds(350), nil,
            ])
    }

    @Test func `jitter takes at most half away`() {
        let policy = RetryPolicy(attempts: 2, base: .milliseconds(100))
        #expect(policy.delay(afterFailures: 1, jitter: 0) == .milliseconds(50))
    }

    @Test func `a huge number of failures does not overflow`() {
        let policy = RetryPolicy(attempts: .max, base: .seconds(1), cap: .seconds(9))
        #expect(policy.delay(afterFailures: 1_000_000, jitter: 1) == .seconds(9))
    }

    @Test(arguments: [(400, false), (404, false), (408, true), (409, false), (429, true), (500, true), (501, false), (503, true)])
    func `a status says whether trying again can help`(status: Int, isRetriable: Bool) {
        #expect(HTTPFailure(.status(status), during: "GET /").isRetriable == isRetriable)
    }
}
