import Domain
import Project

@testable import Settings

/// A sound project file, in lines that tests break one by one.
enum ProjectText {
    static let lines = """
        project: crypto
        sources:
          synthetic: {kind: synthetic, stream: trades, pairs: [BTC/USD, ETH/USD], rate: 200/s, seed: 7}
          recorded: {kind: file, path: trades.parquet, stream: trades, set: {pair: XRP/ETH}, map: {trade_id: id}}
        streams:
          trades:
            key: pair
            time: timestamp_ms
            dedupe: {field: trade_id, keep: 10000}
            fields: {pair: {from: [pair, product_id], type: string}, price: double, quantity: double, side: string?, trade_id: string?, timestamp_ms: int}
            require: {price: "> 0", quantity: ">= 0"}
        views:
          candles:
            from: trades
            window: {length: 60s, grace: 5s, gaps: forward, max_gap: 1d}
            columns:
              close: last(price)
              volume: sum(quantity)
          indicators:
            from: candles
            topic: technical_indicators
            columns:
              close: close
              sma_7: sma(close, 7)
              return_1: close / lag(close, 1) - 1
              rising: close > lag(close, 1)
        training:
          view: indicators
          target: {price_in_10_minutes: lead(close, 10m)}
          task: regression
          exclude: [close]
          missing: {numeric: median, categorical: constant(UNKNOWN), reject_rows_above: 0.01}
          split: {kind: time, test: 0.2, folds: 3}
          metric: mae
          baselines: [current(close), mean]
          candidates:
            - {kind: xgboost, search: {max_depth: int(2, 10), eta: log(0.01, 0.5), rounds: 200}}
            - {kind: ridge, search: {alpha: log(1e-4, 100)}}
          budget: {trials: 30, seconds: 120, seed: 7}
          gate: {min_improvement: 0.0, confidence: 0.95, min_test_rows: 200, max_latency_us: 200, slices: [pair]}
          model: crypto-price-10m
        serving:
          models: [{name: crypto-price-10m, alias: champion}]
          features_from: indicators
          stream: true
        monitoring:
          windows: {length: 1h, min_rows: 100}
          labels: {from: candles, key: pair, horizon: 10m, value: close, wait: 1h}
          drift: {method: auto, share: 0.5}
        settings: {topic_prefix: "", serve: {port: 8601}}

        """

    /// The file with the first occurrence of each text replaced.
    static func replacing(_ changes: [(String, String)]) -> String {
        changes.reduce(lines) { text, change in
            guard let range = text.firstRange(of: change.0) else { return "" }
            return text.replacingCharacters(in: range, with: change.1)
        }
    }

    static func project(_ text: String) throws -> ProjectDefinition {
        let node = try ProjectFile.parse(Array(text.utf8), file: "mlops.yaml")
        return try ProjectDefinition(validating: node, file: "mlops.yaml", directory: "/project")
    }

    /// What is wrong with a file, one line an error; empty when it is sound.
    static func problems(_ text: String) throws -> [String] {
        do {
            _ = try project(text)
            return []
        } catch let errors as ProjectErrors {
            return errors.errors.map(\.description)
        }
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
