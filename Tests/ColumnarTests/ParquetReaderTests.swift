import Columnar
import Domain
import Table
import Testing

@Suite struct ParquetReaderTests {
    @Test(
        arguments: [
            ("i8", [.int(-1), .null, .int(127)]), ("i16", [.int(-2), .null, .int(300)]), ("i32", [.int(-3), .null, .int(70_000)]),
            ("u8", [.int(255), .null, .int(0)]), ("u16", [.int(65_535), .null, .int(0)]), ("u32", [.int(4_294_967_295), .null, .int(0)]),
            ("u64", [.int(.max), .null, .int(0)]), ("f16", [.double(1.5), .null, .double(-0.25)]),
            ("f32", [.double(0.5), .null, .null]), ("f64", [.double(0.1), .null, .double(-2.5)]),
            ("b", [.bool(true), .null, .bool(false)]), ("dec", [.double(12.34), .null, .double(-0.05)]),
            ("dec9", [.double(1.5), .null, .double(-7)]), ("d", [.time(1_688_601_600_000), .null, .time(-86_400_000)]),
            ("ts_s", [.time(1_000), .null, .time(-1_000)]), ("ts_ms", [.time(1_500), .null, .time(-1)]),
            ("ts_us", [.time(1_500), .null, .time(-1)]), ("ts_ns", [.time(1_500), .null, .time(-1)]),
            ("ts_tz", [.time(1_500), .null, .time(-1)]), ("s", [.string("é"), .null, .string("")]),
            ("ls", [.string("a"), .null, .string("b")]), ("bin", [.string("x"), .null, .string("yz")]),
            ("cat", [.string("up"), .null, .string("down")]), ("nothing", [.null, .null, .null]),
        ] as [(String, [Value])])
    func `every type widens to one of the five of tables`(column: String, expected: [Value]) throws {
        let table = try ParquetReader(bytes: Fixtures.everyType, named: "fixture").readAll()
        let found = try table.column(column)
        #expect((0..<3).map { found[$0] } == expected)
    }

    @Test func `a null cell keeps a placeholder, so equal columns are equal`() throws {
        let table = try ParquetReader(bytes: Fixtures.everyType, named: "fixture").readAll()
        #expect(try table.column("i32") == Column("i32", ints: [-3, nil, 70_000]))
        #expect(try table.column("s") == Column("s", strings: ["é", nil, ""]))
        #expect(try table.column("f64") == Column("f64", doubles: [0.1, nil, -2.5]))
    }

    @Test func `a column of nothing but nulls says so in the schema`() throws {
        let reader = try ParquetReader(bytes: Fixtures.everyType, named: "fixture", options: ReadOptions(columns: ["nothing", "u8"]))
        #expect(reader.schema == [ColumnShape("nothing", nil), ColumnShape("u8", .int)])
    }

    @Test func `columns come in the order asked for, and no others`() throws {
        let options = ReadOptions(columns: ["s", "i8"])
        #expect(try ParquetReader(bytes: Fixtures.everyType, named: "fixture", options: options).readAll().names == ["s", "i8"])
    }

    @Test func `a small file that is large when it is decoded is not decoded beyond what is allowed`() throws {
        let long = String(repeating: "a", count: 24 << 20)
        let bytes = try ParquetWriter.bytes(of: Table([Column("s", strings: [long, nil, "b"])]), named: "m")
        #expect(bytes.count < 1 << 20)
        var options = ReadOptions(batchRows: 2)
        options.maxDecodedBytes = 8 << 20
        let error = columnarError { try ParquetReader(bytes: bytes, named: "bomb.parquet", options: options).readAll() }
        #expect(error?.file == "bomb.parquet")
        options.maxDecodedBytes = 256 << 20
        #expect(try ParquetReader(bytes: bytes, named: "m", options: options).readAll().rowCount == 3)
        // What one reader was refused takes nothing from the next.
        #expect(try ParquetReader(bytes: Fixtures.everyType, named: "fixture", options: options).readAll().rowCount == 3)
    }

    @Test func `an unknown column is refused with the nearest spelling`() {
        let error = columnarError { try ParquetReader(bytes: Fixtures.nested, named: "n.parquet", options: ReadOptions(columns: ["idd"])) }
        #expect(error?.code == .unknownColumn)
        #expect(error?.description == "cannot open n.parquet: column \"idd\": there is no such column; did you mean \"id\"?")
    }

    @Test func `a type without a place in tables is named, and only matters when read`() throws {
        let error = columnarError { try ParquetReader(bytes: Fixtures.nested, named: "n.parquet") }
        #expect(error?.code == .unsupportedType)
        #expect(error?.column == "tags")
        #expect(error?.reason.contains("list") == true)
        let time = columnarError { try ParquetReader(bytes: Fixtures.nested, named: "n", options: ReadOptions(columns: ["at"])) }
        #expect(time?.reason.contains("time of day") == true)
        let table = try ParquetReader(bytes: Fixtures.nested, named: "n", options: ReadOptions(columns: ["id"])).readAll()
        #expect(table.columns == [Column("id", ints: [1, 2])])
    }

    @Test(arguments: [("big", "9223372036854775808"), ("raw", "UTF-8"), ("far", "1125899906842624 is outside")])
    func `a value that no cell can hold is an error with its row`(column: String, part: String) throws {
        let reader = try ParquetReader(bytes: Fixtures.outOfBounds, named: "o", options: ReadOptions(columns: [column], batchRows: 1))
        #expect(try reader.next()?.rowCount == 1)
        let error = columnarError { try reader.next() }
        #expect(error?.code == .invalidValue)
        #expect(error?.column == column)
        #expect(error?.row == 2)
        #expect(error?.reason.contains(part) == true)
    }

    @Test(arguments: [0, 3, 100, 1_000])
    func `a truncated file is malformed, and the error names it`(bytes: Int) {
        let error = columnarError { try ParquetReader(bytes: Array(Fixtures.everyType.prefix(bytes)), named: "cut.parquet") }
        #expect(error?.code == .malformed)
        #expect(error?.description.hasPrefix("cannot open cut.parquet: ") == true)
    }

    @Test func `damaged pages are an error, not a crash`() {
        for start in stride(from: 4, to: 1_200, by: 37) {
            var bytes = Fixtures.everyType
            for at in start..<(start + 8) { bytes[at] ^= 0x5A }
            // Some damage hits nothing that is read; what must not happen is a trap.
            _ = columnarError { try ParquetReader(bytes: bytes, named: "damaged").readAll() }
        }
    }

    @Test func `a file that is not there is an input error`() {
        let error = columnarError { try ParquetReader(path: "/nowhere/trades.parquet") }
        #expect(error?.code == .io)
        #expect(error?.file == "/nowhere/trades.parquet")
    }

    @Test func `where batches are cut does not change the rows`() throws {
        let rows = 1_000
        let table = try Table([
            Column("i", ints: (0..<rows).map { $0 % 7 == 0 ? nil : Int64($0) }), Column("s", strings: (0..<rows).map { "\($0)" }),
        ])
        let bytes = try ParquetWriter.bytes(of: table, named: "m")
        for batchRows in [1, 64, 999, 5_000] {
            let reader = try ParquetReader(bytes: bytes, named: "m", options: ReadOptions(batchRows: batchRows))
            #expect(reader.rowCount == 1_000)
            #expect(try reader.readAll() == table)
        }
    }

    @Test func `a column is converted to the type asked for, or refused with its row`() throws {
        let bytes = try ParquetWriter.bytes(of: Table([Column("n", strings: ["1", nil, "x"])]), named: "m")
        let error = columnarError { try ParquetReader(bytes: bytes, named: "m", options: ReadOptions(types: ["n": .int])).readAll() }
        #expect(error?.code == .invalidValue)
        #expect(error?.row == 3)
        #expect(error?.reason == "x is not an int")
        let options = ReadOptions(columns: ["i8", "ts_ms"], types: ["i8": .double, "ts_ms": .string])
        let table = try ParquetReader(bytes: Fixtures.everyType, named: "f", options: options).readAll()
        #expect(table["i8"] == Column("i8", doubles: [-1, nil, 127]))
        #expect(table["ts_ms"] == Column("ts_ms", strings: ["1970-01-01T00:00:01.500Z", nil, "1969-12-31T23:59:59.999Z"]))
    }
}
