import Domain
import Table
import Testing

@Suite struct RowDecoderTests {
    private static let fields: [RowDecoder.Field] = [
        .init("pair", .string, sources: ["pair", "product_id"]), .init("price", .double), .init("n", .int, isOptional: true),
        .init("at", .time, isOptional: true), .init("ok", .bool, isOptional: true), .init("side", .string, isOptional: true),
    ]

    private func decode(_ records: [String]) -> (columns: [Column], reasons: [String]) {
        var decoder = RowDecoder(fields: Self.fields)
        var reasons: [String] = []
        for record in records {
            do {
                try Array(record.utf8).withUnsafeBytes { try decoder.append($0) }
            } catch let error as RowDecoder.Rejection { reasons.append(error.description) } catch { Issue.record(error) }
        }
        return (decoder.finish(), reasons)
    }

    @Test func `declared fields become columns and others are skipped`() {
        let (columns, reasons) = decode([
            #" { "x": {"deep":[1,2,{"y":null}]}, "pair":"A\u00e9", "price": -1.5e2, "n": 7, "ok": true } "#,
            #"{"product_id":"B","price":"0.001","at":"1970-01-01T00:00:01Z","side":null}"#,
        ])
        #expect(reasons.isEmpty)
        #expect(columns[0].values == .string(["Aé", "B"]))
        #expect(columns[1].values == .double([-150, 0.001]))
        #expect(columns[2][0] == .int(7) && columns[2][1] == .null)
        #expect(columns[3][1] == .time(1_000))
        #expect(columns[4][0] == .bool(true))
        #expect(columns[5].nullCount == 2)
    }

    @Test(arguments: [
        ("not json", "expected a JSON object"), ("", "expected a JSON object"), (#"{"pair":"A"}"#, "required field \"price\" is missing"),
        (#"{"pair":"A","price":null}"#, "required field \"price\" is missing"),
        (#"{"pair":"A","price":true}"#, "field \"price\" is not a number"),
        (#"{"pair":"A","price":"cheap"}"#, "field \"price\" is not a number"),
        (#"{"pair":"A","price":1,"n":1.5}"#, "field \"n\" is not an integer"), (#"{"pair":"A","price":1"#, "expected ',' or '}'"),
        (#"{"pair":"A","price":1} x"#, "unexpected text"), (#"{"pair":"A","price":01}"#, "leading zero"),
        (#"{"pair":"A","price":1.}"#, "without digits after the point"), (#"{"pair":"A"#, "unterminated string"),
        (#"{"pair":"\ud800","price":1}"#, "bad escape"), (#"{"pair":{},"price":1}"#, "field \"pair\" is not text"),
        (#"{"pair":"A","price":1,"at":"noon"}"#, "field \"at\" is not an ISO 8601 time"),
    ])
    func `a record that does not fit is rejected with its reason and adds no row`(record: String, reason: String) {
        let (columns, reasons) = decode([#"{"pair":"A","price":1}"#, record, #"{"pair":"B","price":2}"#])
        #expect(reasons.count == 1 && reasons[0].contains(reason), "\(reasons)")
        #expect(columns[0].values == .string(["A", "B"]))
        #expect(columns.allSatisfy { $0.count == 2 })
    }

    @Test(
        arguments: [
            ([], true), ([0x41], true), ([0x7F], true), ([0xC3, 0xA9], true),
            (Array(repeating: 0x61, count: 70) + [0xE2, 0x82, 0xAC], true),
            ([0x80], false), ([0xC3], false), ([0xC0, 0x80], false), ([0xED, 0xA0, 0x80], false), ([0xF5, 0x80, 0x80, 0x80], false),
            (Array(repeating: 0x61, count: 70) + [0xFF], false), ([0xE2, 0x82] + Array(repeating: 0x61, count: 70), false),
        ] as [([UInt8], Bool)])
    func `text is taken as it is when it is UTF-8, and refused when it is not`(bytes: [UInt8], isText: Bool) throws {
        var decoder = RowDecoder(fields: Self.fields)
        let record = Array(#"{"price":1,"pair":""#.utf8) + bytes + Array(#""}"#.utf8)
        do {
            try record.withUnsafeBytes { try decoder.append($0) }
            #expect(isText)
            #expect(decoder.finish()[0].values == .string([String(decoding: bytes, as: UTF8.self)]))
        } catch let error as RowDecoder.Rejection {
            #expect(!isText && error.description.contains("not UTF-8"))
        }
    }

    @Test func `the better name of a field wins whatever the order`() {
        let (columns, _) = decode([#"{"product_id":"old","pair":"new","price":1}"#, #"{"pair":"new","product_id":"old","price":1}"#])
        #expect(columns[0].values == .string(["new", "new"]))
    }

    @Test func `numbers round as the C library does`() throws {
        var random = RandomSource(seed: 5)
        var texts = ["0.1", "1e-7", "123456789012345678901234567890", "2.2250738585072011e-308", "9007199254740993", "1e23", "5e-324"]
        for _ in 0..<3_000 { texts.append("\(Double(bitPattern: random.next()))") }
        for text in texts where Double(text)?.isFinite == true {
            let (columns, reasons) = decode(["{\"pair\":\"A\",\"price\":\(text)}"])
            #expect(reasons.isEmpty)
            #expect(columns[0].count == 1 && columns[1][0] == .double(Double(text) ?? 0), "\(text)")
        }
    }

    @Test func `hostile text never crashes the decoder`() {
        var random = RandomSource(seed: 11)
        let seed = Array(#"{"pair":"A\u00e9\n","price":-1.5e2,"n":[{"a":[]}],"at":"1970-01-01"}"#.utf8)
        for _ in 0..<5_000 {
            var bytes = seed
            for _ in 0..<1 + random.index(below: 4) { bytes[random.index(below: bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
            bytes.removeLast(random.index(below: 8))
            var decoder = RowDecoder(fields: Self.fields)
            do { try bytes.withUnsafeBytes { try decoder.append($0) } } catch {
                #expect(decoder.finish().allSatisfy { $0.count == 0 })
            }
        }
        let deep = "{\"x\":" + String(repeating: "[", count: 100_000)
        #expect(decode([deep]).reasons.first?.contains("nested deeper") == true)
    }
}
