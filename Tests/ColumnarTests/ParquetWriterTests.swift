import Columnar
import Domain
import Table
import Testing

@Suite struct ParquetWriterTests {
    static func table() throws -> Table {
        try Table([
            Column("b", .bool([true, false, true]), nulls: [false, true, false]), Column("i", ints: [.min, nil, .max]),
            Column("d", doubles: [0.1, nil, -.greatestFiniteMagnitude]), Column("s", strings: ["", nil, "ünï"]),
            Column("t", .time([-1, 0, 1_688_669_597_827])),
        ])
    }

    @Test(arguments: [ParquetWriter.Compression.none, .snappy, .zstd])
    func `a table comes back as it was written`(compression: ParquetWriter.Compression) throws {
        let table = try Self.table()
        let bytes = try ParquetWriter.bytes(of: table, named: "m", compression: compression)
        #expect(try ParquetReader(bytes: bytes, named: "m").readAll() == table)
    }

    @Test func `a table without rows keeps its columns`() throws {
        let empty = try Table(empty: [("a", .time), ("b", .string)])
        let bytes = try ParquetWriter.bytes(of: empty, named: "m")
        #expect(try ParquetReader(bytes: bytes, named: "m").readAll() == empty)
    }

    @Test func `equal tables give equal bytes`() throws {
        #expect(try ParquetWriter.bytes(of: Self.table(), named: "a") == ParquetWriter.bytes(of: Self.table(), named: "b"))
    }

    @Test func `a file appears only when it is closed`() throws {
        let folder = try TemporaryFolder(), table = try Self.table()
        let shape = table.columns.map { (name: $0.name, type: $0.type) }
        do {
            let abandoned = try ParquetWriter(path: folder.path + "/a.parquet", columns: shape)
            try abandoned.write(table)
            #expect(!folder.entries.contains("a.parquet"))
        }
        #expect(folder.entries == [])
        let writer = try ParquetWriter(path: folder.path + "/a.parquet", columns: shape)
        try writer.write(table)
        try writer.write(table)
        try writer.close()
        #expect(folder.entries == ["a.parquet"])
        #expect(try ParquetReader(path: folder.path + "/a.parquet").readAll() == Table.concatenated([table, table]))
    }

    @Test func `rows of other columns are refused`() throws {
        let folder = try TemporaryFolder()
        let writer = try ParquetWriter(path: folder.path + "/a.parquet", columns: [("a", .int)])
        let error = columnarError { try writer.write(Table([Column("a", doubles: [1])])) }
        #expect(error?.code == .invalidValue)
        #expect(error?.reason == "the rows have columns (a: double), the file has (a: int)")
    }

    @Test func `a folder that is not there is an output error`() {
        let error = columnarError { try ParquetWriter(path: "/nowhere/a.parquet", columns: [("a", .int)]) }
        #expect(error?.code == .io)
    }
}
