import Columnar
import Domain
import Foundation
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

    @Test func `columns encoded side by side give the same file`() throws {
        let folder = try TemporaryFolder(), rows = 5_000
        let table = try Table(
            (0..<20).map { column in Column("c\(column)", .double((0..<rows).map { Double($0 &* (column + 7) % 997) / 8 })) })
        for (name, isParallel) in [("a", false), ("b", true)] {
            let writer = try ParquetWriter(
                path: folder.path + "/\(name).parquet", columns: table.columns.map { ($0.name, $0.type) }, rowGroupRows: 1_000,
                isParallel: isParallel)
            try writer.write(table)
            try writer.close()
        }
        let files = try ["a", "b"].map { try Data(contentsOf: URL(filePath: folder.path + "/\($0).parquet")) }
        #expect(files[0] == files[1])
        #expect(try ParquetReader(path: folder.path + "/b.parquet").readAll() == table)
    }

    @Test func `numbers that repeat are written once, others as they are`() throws {
        let rows = 10_000
        func size(_ value: (Int) -> Double) throws -> Int {
            let table = try Table([Column("d", .double((0..<rows).map(value)))])
            let bytes = try ParquetWriter.bytes(of: table, named: "m", compression: .none)
            #expect(try ParquetReader(bytes: bytes, named: "m").readAll() == table)
            return bytes.count
        }
        // Two bits a number, and eight bytes; a dictionary of different numbers would come on top of its own references.
        #expect(try size { Double($0 % 3) } < rows)
        #expect(try (rows * 8..<rows * 9).contains(size { Double($0) }))
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
