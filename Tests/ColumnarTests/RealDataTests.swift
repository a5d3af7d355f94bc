import Columnar
import Domain
import Foundation
import Table
import Testing

/// Public data beside the repository; these checks alone may be skipped.
private let data = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../shared/data").standardized
    .path
private let isThere = FileManager.default.fileExists(atPath: data)

@Suite(.enabled(if: isThere)) struct RealDataTests {
    @Test func `real data: the trades of XRP/ETH`() throws {
        let reader = try ParquetReader(path: data + "/trades/xrp_eth_trades.parquet")
        #expect(reader.rowCount == 12_477)
        let table = try reader.readAll()
        #expect(table.rowCount == 12_477)
        #expect(reader.schema.prefix(2) == [ColumnShape("timestamp", .int), ColumnShape("id", .string)])
        #expect(try table.column("price").numbers().allSatisfy { $0 > 0 })
    }

    @Test func `real data: a column that is text in one month is an integer in another`() throws {
        let months = ["2021-01", "2023-01", "2023-02"].map { data + "/taxi/green_tripdata_\($0).parquet" }
        let types = try months.map { try ParquetReader(path: $0, options: ReadOptions(columns: ["PULocationID"])).schema[0].type }
        #expect(types == [.string, .int, .int])
        let reader = try FileSequenceReader(
            paths: months, options: ReadOptions(columns: ["PULocationID", "lpep_pickup_datetime", "ehail_fee", "duration"]))
        #expect(reader.schema.map(\.type) == [.string, .time, .double, .double])
        let table = try reader.readAll()
        #expect(table.rowCount == 73_908 + 68_211 + 64_809)
        #expect(table["PULocationID"]?.nullCount == 0)
        #expect(table["duration"]?.nullCount == 68_211 + 64_809)
    }

    @Test func `real data: CSV with times, zones and silent columns`() throws {
        let trades = try CSVReader(path: data + "/trades/eth_usdt_trades_sample.csv").readAll()
        #expect(trades.rowCount == 1_000)
        #expect(trades["timestamp"]?[0] == .int(1_675_329_600_138))
        #expect(trades["date"]?[0] == .time(1_675_329_600_138))
        let format = CSVReader.Format(columnNames: (0..<15).map { "c\($0)" }, nullValues: [" ?"])
        let census = try CSVReader(path: data + "/census/adult.data", format: format).readAll()
        #expect(census.rowCount == 32_561)
        #expect(census["c1"]?.nullCount == 1_836)
        #expect(try CSVReader(path: data + "/banking77/banking77_train.csv").readAll().rowCount == 10_003)
    }
}
