import Domain
import Foundation
import Table
import Testing

@testable import Expressions

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

func sine(_ x: Double) -> Double { sin(x) }

/// Two thousand candles with flat, silent, strictly rising and falling stretches, computed by TA-Lib.
@Suite struct GoldenTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../../shared/golden/streaming/talib"
    ).path

    private static func columns(_ name: String) throws -> [String: [Double?]] {
        let lines = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8).split(whereSeparator: \.isNewline)
        let names = lines[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        var columns: [String: [Double?]] = [:]
        for line in lines.dropFirst() {
            for (name, cell) in zip(names, line.split(separator: ",", omittingEmptySubsequences: false)) {
                columns[name, default: []].append(Double(cell))
            }
        }
        return columns
    }

    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: folder)),
        arguments: [
            ("sma_5", "sma(close, 5)"), ("sma_20", "sma(close, 20)"), ("sma_50", "sma(close, 50)"), ("ema_9", "ema(close, 9)"),
            ("ema_12", "ema(close, 12)"),
            ("ema_26", "ema(close, 26)"), ("wma_10", "wma(close, 10)"), ("rsi_14", "rsi(close, 14)"), ("rsi_2", "rsi(close, 2)"),
            ("obv", "obv(close, volume)"),
            ("macd_12_26_9", "macd(close, 12, 26, 9)"), ("macdsignal_12_26_9", "macd(close, 12, 26, 9)"),
            ("macdhist_12_26_9", "macd(close, 12, 26, 9)"),
            ("stddev_20", "std_over(close, 20)"),
        ])
    func golden(name: String, text: String) throws {
        let input = try Self.columns("ohlcv.csv"), expected = try #require(try Self.columns("talib.csv")[name])
        let columns = [Column("close", doubles: try #require(input["close"])), Column("volume", doubles: try #require(input["volume"]))]
        let outputs = try Evaluation.columns(of: [("c", text)], columns)
        let found = outputs[name.hasPrefix("macdsignal") ? 1 : name.hasPrefix("macdhist") ? 2 : 0]
        #expect(found.count == expected.count)
        var worst = 0.0
        for row in expected.indices {
            guard let value = expected[row] else {
                #expect(found.isNull(row), "row \(row)")
                continue
            }
            worst = max(worst, abs((found[row].number ?? .infinity) - value) / max(1, abs(value)))
        }
        #expect(worst <= 1e-9)
    }
}
