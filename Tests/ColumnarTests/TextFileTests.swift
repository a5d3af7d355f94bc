import Columnar
import Domain
import Table
import Testing

@Suite struct TextFileTests {
    private func csv(_ text: String, format: CSVReader.Format = .init(), options: ReadOptions = .init()) throws -> Table {
        try CSVReader(bytes: Array(text.utf8), named: "t.csv", format: format, options: options).readAll()
    }

    @Test func `CSV types are inferred, and an empty field is null`() throws {
        let table = try csv(
            "b,i,d,s,t,clock\ntrue,1,0.5,x,2023-02-02 09:20:00.138000+00:00,08:30\n,,,,,\nfalse,-2,1e3,\"a,\"\"b\"\"\",2023-02-02T10:20:00+01:00,09:00\n"
        )
        #expect(
            table.columns == [
                Column("b", .bool([true, false, false]), nulls: [false, true, false]), Column("i", ints: [1, nil, -2]),
                Column("d", doubles: [0.5, nil, 1_000]), Column("s", strings: ["x", nil, "a,\"b\""]),
                Column("t", .time([1_675_329_600_138, 0, 1_675_329_600_000]), nulls: [false, true, false]),
                Column("clock", strings: ["08:30", nil, "09:00"]),
            ])
    }

    @Test func `a quoted empty field is empty text`() throws {
        #expect(try csv("s\n\"\"\nx\n").columns == [Column("s", strings: ["", "x"])])
    }

    @Test func `names can be given when there is no header, and other spellings of null`() throws {
        let format = CSVReader.Format(columnNames: ["age", "job"], nullValues: [" ?"])
        #expect(
            try csv("39, clerk\n50, ?\n", format: format).columns == [
                Column("age", ints: [39, 50]), Column("job", strings: [" clerk", nil]),
            ])
    }

    @Test func `a type asked for overrules the one inferred`() throws {
        let table = try csv("id,at\n7,1500\n8,1970-01-01T00:00:02Z\n", options: ReadOptions(types: ["id": .string, "at": .time]))
        #expect(table.columns == [Column("id", strings: ["7", "8"]), Column("at", .time([1_500, 2_000]))])
    }

    @Test func `columns of a CSV are chosen by name`() throws {
        #expect(
            try csv("a,b,c\n1,2,3\n", options: ReadOptions(columns: ["c", "a"])).columns == [
                Column("c", ints: [3]), Column("a", ints: [1]),
            ])
        let error = columnarError { try csv("price\n1\n", options: ReadOptions(columns: ["prize"])) }
        #expect(error?.code == .unknownColumn)
        #expect(error?.reason.contains("\"price\"") == true)
    }

    @Test(arguments: ["", "a,b\n1\n", "a,b\n1,2\n3\n", "a,a\n1,2\n"])
    func `a CSV that is empty, ragged or names a column twice is malformed`(text: String) {
        #expect(columnarError { try csv(text) }?.code == .malformed)
    }

    @Test func `a value that is not of the type asked for names its column`() {
        let error = columnarError { try csv("a,b\n1,2\nx,3\n", options: ReadOptions(types: ["a": .int])) }
        #expect(error?.code == .malformed)
        #expect(error?.reason.contains("'x'") == true)
    }

    @Test func `CSV comes back as it was written`() throws {
        let folder = try TemporaryFolder()
        let table = try Table([
            Column("s", strings: ["a\"b", nil, "", "x\ny", "null"]), Column("d", doubles: [0.1, nil, 1e300, -0.5, 3]),
            Column("t", .time([0, 1, 2, 3, 1_688_669_597_827])),
        ])
        let writer = try CSVWriter(path: folder.path + "/a.csv", columns: table.names)
        try writer.write(table)
        #expect(!folder.entries.contains("a.csv"))
        try writer.close()
        #expect(folder.entries == ["a.csv"])
        #expect(try CSVReader(path: folder.path + "/a.csv").readAll() == table)
    }

    @Test func `JSON Lines comes back as it was written`() throws {
        let folder = try TemporaryFolder()
        let table = try Table([Column("s", strings: ["é", nil]), Column("d", doubles: [1, nil]), Column("i", ints: [nil, 7])])
        let writer = try JSONLinesWriter(path: folder.path + "/a.jsonl", columns: table.names)
        try writer.write(table)
        try writer.close()
        #expect(try JSONLinesReader(path: folder.path + "/a.jsonl").readAll() == table)
    }

    @Test func `JSON Lines types widen over the whole file`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.jsonl", "{\"n\":1,\"id\":7,\"z\":null}\n\n{\"n\":2.5,\"id\":\"x\",\"late\":true}\n")
        let reader = try JSONLinesReader(path: path, options: ReadOptions(batchRows: 1))
        #expect(
            reader.schema == [ColumnShape("n", .double), ColumnShape("id", .string), ColumnShape("z", nil), ColumnShape("late", .bool)])
        let table = try reader.readAll()
        #expect(
            table.columns == [
                Column("n", doubles: [1, 2.5]), Column("id", strings: ["7", "x"]), Column("z", strings: [nil, nil]),
                Column("late", .bool([false, true]), nulls: [true, false]),
            ])
    }

    @Test(arguments: [("{\"a\":1}\n{\"a\":\n", 2), ("[1]\n", 1), ("{\"a\":1}\nnot json\n", 2), ("{\"a\":true}\n{\"a\":\"x\"}\n", 2)])
    func `a line that does not fit is an error with its number`(text: String, line: Int64) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.jsonl", text)
        #expect(columnarError { try JSONLinesReader(path: path).readAll() }?.row == line)
    }

    @Test func `nested values are refused unless left out`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.jsonl", "{\"a\":{\"b\":[1,2]},\"c\":1}\n")
        #expect(columnarError { try JSONLinesReader(path: path) }?.code == .unsupportedType)
        #expect(try JSONLinesReader(path: path, options: ReadOptions(columns: ["c"])).readAll().columns == [Column("c", ints: [1])])
    }

    @Test func `lines are counted, trimmed of line ends, and the last one need not end`() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "x", count: 3 << 20)
        let lines = try LineReader(path: folder.file("a.txt", "one\r\n\n\(long)\nlast"))
        var found: [String] = []
        while let line = try lines.next() { found.append(String(decoding: line, as: UTF8.self)) }
        #expect(found == ["one", "", long, "last"])
        #expect(lines.line == 4)
    }

    @Test func `a line without end is refused`() throws {
        let folder = try TemporaryFolder()
        let lines = try LineReader(path: folder.file("a.txt", String(repeating: "x", count: LineReader.maxLineBytes + (2 << 20))))
        #expect(columnarError { try lines.next() }?.code == .malformed)
    }

    @Test func `a file is opened as what its name says`() throws {
        let folder = try TemporaryFolder()
        #expect(try TableFile.reader(path: folder.file("a.tsv", "a\tb\n1\t2\n")).readAll().names == ["a", "b"])
        #expect(columnarError { try TableFile.reader(path: folder.file("a.xlsx", "")) }?.code == .malformed)
        #expect(try TableFile.matching(folder.path + "/a.*") == [folder.path + "/a.tsv", folder.path + "/a.xlsx"])
        #expect(columnarError { try TableFile.matching(folder.path + "/b.*") }?.code == .io)
    }

    @Test func `files of one data set read as one although their columns changed`() throws {
        let folder = try TemporaryFolder()
        let first = try folder.file("1.csv", "id,zone,fee\nA7,1,\n"), second = try folder.file("2.csv", "zone,id,tip\n2.5,8,0.5\n")
        let reader = try FileSequenceReader(paths: [first, second])
        #expect(
            reader.schema == [
                ColumnShape("id", .string), ColumnShape("zone", .double), ColumnShape("fee", nil), ColumnShape("tip", .double),
            ])
        #expect(
            try reader.readAll().columns == [
                Column("id", strings: ["A7", "8"]), Column("zone", doubles: [1, 2.5]), Column("fee", strings: [nil, nil]),
                Column("tip", doubles: [nil, 0.5]),
            ])
        #expect(reader.currentFile == second)
    }

    @Test func `types that do not meet are refused with both files`() throws {
        let folder = try TemporaryFolder()
        let first = try folder.file("1.csv", "a\ntrue\n"), second = try folder.file("2.csv", "a\nx\n")
        let error = columnarError { try FileSequenceReader(paths: [first, second]) }
        #expect(error?.code == .unsupportedType)
        #expect(error?.file == second)
        #expect(error?.reason == "it is string here and bool in \(first); give its type")
    }
}
