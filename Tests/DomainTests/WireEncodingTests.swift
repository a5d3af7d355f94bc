import Domain
import Testing

@Suite struct WireEncodingTests {
    private func text(_ value: Value) -> String {
        var bytes: [UInt8] = []
        JSONText.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        arguments: [
            (1.0, "1.0"), (-0.0, "0.0"), (0.1, "0.1"), (1e16, "1e+16"), (.leastNonzeroMagnitude, "5e-324"), (100_000, "100000.0"),
            (.nan, "null"),
            (.infinity, "null"), (0.30000000000000004, "0.30000000000000004"),
        ] as [(Double, String)])
    func `a double is written in its shortest form, with a point or an exponent`(value: Double, expected: String) {
        #expect(text(.double(value)) == expected)
    }

    @Test func `only the escapes that JSON requires are written`() {
        #expect(text(.string("a\"b\\c\n\t\u{8}\u{c}\r\u{1}/é€")) == "\"a\\\"b\\\\c\\n\\t\\b\\f\\r\\u0001/é€\"")
    }

    @Test func `a character that needs an escape gets it wherever it stands`() {
        let escapes = [("\"", "\\\""), ("\\", "\\\\"), ("\n", "\\n"), ("\u{1f}", "\\u001f"), ("é", "é"), ("\u{7f}", "\u{7f}")]
        for (character, escaped) in escapes {
            for before in 0..<18 {
                for after in 0..<10 {
                    let head = String(repeating: "a", count: before), tail = String(repeating: "€", count: after)
                    #expect(text(.string(head + character + tail)) == "\"" + head + escaped + tail + "\"")
                }
            }
        }
    }

    @Test func `missing values are explicit nulls and fields keep their order`() {
        let bytes = JSONText.object([("b", .null), ("a", .int(-3)), ("t", .time(5)), ("ok", .bool(true))])
        #expect(String(decoding: bytes, as: UTF8.self) == "{\"b\":null,\"a\":-3,\"t\":5,\"ok\":true}")
    }

    @Test func `a key is the text, the decimal digits, or a JSON array of its parts`() throws {
        #expect(try EntityKey([.string("XRP/ETH")]).description == "XRP/ETH")
        #expect(try EntityKey([.int(-7)]).description == "-7")
        #expect(try EntityKey([.string("a"), .int(1)]).description == "[\"a\",1]")
    }

    @Test func `a key with a missing part is refused`() {
        #expect(throws: EntityKey.Error.missing) { try EntityKey([.null]) }
        #expect(throws: EntityKey.Error.missing) { try EntityKey([.string("a"), .string("")]) }
        #expect(throws: EntityKey.Error.missing) { try EntityKey([]) }
        #expect(throws: EntityKey.Error.unsupported(.double)) { try EntityKey([.double(1)]) }
    }

    @Test func `a prediction's record has its fields in the documented order`() throws {
        let prediction = Prediction(
            id: "0190", entity: try EntityKey([.string("XRP/ETH")]), requestedAt: 5, featureTime: 1, predictedFor: 2, model: "m",
            version: "3", features: [("x", .double(1)), ("s", .null)], valuesHash: ContentHash(of: "x"), output: 0.5)
        let hash = ContentHash(of: "x").hex
        #expect(
            String(decoding: prediction.json(), as: UTF8.self)
                == "{\"id\":\"0190\",\"requested_at_ms\":5,\"feature_time_ms\":1,\"predicted_for_ms\":2,\"model\":\"m\",\"version\":\"3\","
                + "\"features\":{\"x\":1.0,\"s\":null},\"values_hash\":\"\(hash)\",\"output\":0.5}")
    }

    @Test func `binary state reads back what was written`() throws {
        var writer = BinaryWriter()
        let values: [Value] = [.null, .bool(true), .int(.min), .double(-0.0), .string("é"), .time(7)]
        for value in values { writer.write(value) }
        var reader = BinaryReader(writer.bytes)
        for value in values { #expect(try reader.readValue() == value) }
        #expect(reader.isAtEnd)
    }

    @Test func `damaged binary state is an error and never a crash`() {
        var random = RandomSource(seed: 9)
        for length in 0..<64 {
            let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var reader = BinaryReader(bytes)
            while !reader.isAtEnd { guard (try? reader.readValue()) != nil else { break } }
        }
        var reader = BinaryReader([4, 255, 255, 255, 255, 255, 255, 255, 127, 1])
        #expect(throws: BinaryReader.Damaged.self) { try reader.readValue() }
    }
}
