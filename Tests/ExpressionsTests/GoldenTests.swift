import Domain
import Foundation
import Table
import Testing

@testable import Expressions

@Suite struct GoldenTests {
    /// Flat prices, where the channel index of TA-Lib is the noise of its rounding.
    private static let flat = 300..<351

    /// TA-Lib's column, the call, which of its outputs.
    private static let calls: [(name: String, text: String, output: Int)] = [
        ("sma_5", "sma(close, 5)", 0), ("sma_20", "sma(close, 20)", 0), ("sma_50", "mean_over(close, 50)", 0),
        ("ema_9", "ema(close, 9)", 0), ("ema_12", "ema(close, 12)", 0), ("ema_26", "ema(close, 26)", 0), ("wma_10", "wma(close, 10)", 0),
        ("rsi_14", "rsi(close, 14)", 0), ("rsi_2", "rsi(close, 2)", 0), ("obv", "obv(close, volume)", 0),
        ("macd_12_26_9", "macd(close, 12, 26, 9)", 0), ("macdsignal_12_26_9", "macd(close, 12, 26, 9)", 1),
        ("macdhist_12_26_9", "macd(close, 12, 26, 9)", 2), ("stddev_20", "std_over(close, 20)", 0),
        ("bbu_20_2.0_2.0", "bollinger(close, 20, 2)", 0), ("bbm_20_2.0_2.0", "bollinger(close, 20, 2)", 1),
        ("bbl_20_2.0_2.0", "bollinger(close, 20, 2)", 2), ("trange", "trange(high, low, close)", 0),
        ("atr_14", "atr(high, low, close, 14)", 0), ("natr_14", "natr(high, low, close, 14)", 0),
        ("slowk_14_3_3", "stoch(high, low, close, 14, 3, 3)", 0), ("slowd_14_3_3", "stoch(high, low, close, 14, 3, 3)", 1),
        ("fastk_5_3", "stochf(high, low, close, 5, 3)", 0), ("fastd_5_3", "stochf(high, low, close, 5, 3)", 1),
        ("roc_10", "roc(close, 10)", 0), ("mom_10", "mom(close, 10)", 0), ("adx_14", "adx(high, low, close, 14)", 0),
        ("cci_20", "cci(high, low, close, 20)", 0), ("willr_14", "willr(high, low, close, 14)", 0),
        ("mfi_14", "mfi(high, low, close, volume, 14)", 0),
    ]

    @Test(.enabled(if: FileManager.default.fileExists(atPath: IndicatorFiles.golden)))
    func `every column of TA-Lib is met in every row, empty cells too`() throws {
        let input = try IndicatorFiles.table(IndicatorFiles.golden + "/ohlcv.csv").filter { $0.name != "open_time_ms" }
        let expected = try IndicatorFiles.columns(IndicatorFiles.golden + "/talib.csv").filter { $0.name != "open_time_ms" }
        #expect(Set(expected.map(\.name)) == Set(Self.calls.map(\.name)))
        for (name, text, output) in Self.calls {
            let values = try #require(expected.first { $0.name == name }).values
            let found = try Evaluation.columns(of: [("c", text)], input)[output]
            let distance = IndicatorFiles.distance(found, values, skipping: name == "cci_20" ? Self.flat : 0..<0)
            #expect(distance <= 1e-9, "\(name)")
        }
    }

    @Test func `every operator equals its definition, computed the plain way`() throws {
        let input = try IndicatorFiles.table(IndicatorFiles.reference + "/candles.csv")
        let expected = try IndicatorFiles.columns(IndicatorFiles.reference + "/expected.csv", separator: ";")
        var covered: Set<String> = ["lag"]
        for (name, values) in expected {
            let parts = name.split(separator: " "), text = parts.dropLast().joined(separator: " ")
            let output = try #require(Int(parts.last ?? ""))
            let found = try Evaluation.columns(of: [("c", text)], input)
            #expect(IndicatorFiles.distance(found[output], values) <= 1e-9, "\(name)")
            covered.insert(String(text.prefix { $0 != "(" }))
        }
        #expect(covered == Set(SequenceFunction.all.keys))
    }

    @Test func `flat prices have a channel index of zero, not the noise of rounding`() throws {
        let columns = [Column("p", doubles: Array(repeating: 100.1, count: 30))]
        let found = try Evaluation.doubles("cci(p, p, p, 20)", columns)
        #expect(found.dropFirst(19).allSatisfy { $0 == 0 })
        #expect(found.prefix(19).allSatisfy { $0 == nil })
    }
}
