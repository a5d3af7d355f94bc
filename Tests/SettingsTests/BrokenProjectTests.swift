import Domain
import Testing

@testable import Project

/// One mistake in an otherwise sound file, and the one sentence about it.
struct Mistake: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    let problem: String

    init(_ old: String, _ new: String, _ problem: String) {
        self.old = old
        self.new = new
        self.problem = "mlops.yaml:" + problem
    }

    var testDescription: String { new.isEmpty ? "without \(old)" : new }
}

struct BrokenProjectTests {
    // One mistake a line, however long.
    // swift-format-ignore
    static let structure = [
        Mistake("project: crypto", "projekt: crypto\nproject: crypto", #"1:1: unknown key "projekt"; did you mean "project"?"#),
        Mistake("project: crypto\n", "", #"1:1: "project" is missing"#),
        Mistake("project: crypto", "project: [a]", "1:10: project: expected a name, found a list"),
        Mistake("project: crypto", "project: my crypto", #"1:1: project: "my crypto" cannot be a name; use letters, digits, ".", "_" and "-", at most 200 of them"#),
        Mistake("    time: timestamp_ms\n", "", #"6:3: streams.trades: "time" is missing"#),
        Mistake("    time: timestamp_ms\n", "    time:\n", "8:10: streams.trades.time: expected the name of a field, found nothing"),
        Mistake("  drift: {method", "  alerts: []\n  drift: {method", #"49:3: monitoring: "alerts" is not supported yet; known: drift, labels, windows"#),
        Mistake("  drift: {method", "  retrain: {}\n  drift: {method", #"49:3: monitoring: "retrain" is not supported yet; known: drift, labels, windows"#),
        Mistake("settings: {topic_prefix: \"\"", "settings: {topic_prefix: \"a b\"", #"50:26: settings.topic_prefix: "a b" cannot begin a topic; use letters, digits, ".", "_" and "-""#),
    ]

    // One mistake a line, however long.
    // swift-format-ignore
    static let sources = [
        Mistake("kind: synthetic", "kind: syntetic", #"3:21: sources.synthetic.kind: unknown kind of source "syntetic"; did you mean "synthetic"?"#),
        Mistake("stream: trades, pairs", "stream: trade, pairs", #"3:40: sources.synthetic.stream: there is no stream "trade"; did you mean "trades"?"#),
        Mistake("rate: 200/s", "rate: 200", "3:81: sources.synthetic.rate: expected a rate such as 200/s, found 200"),
        Mistake("seed: 7}", "seed: -7}", "3:94: sources.synthetic.seed: expected a whole number from 0 on, found -7"),
        Mistake("path: trades.parquet, ", "", #"4:3: sources.recorded: "path" is missing"#),
        Mistake("set: {pair: XRP/ETH}", "set: {pairs: XRP/ETH}", #"4:70: sources.recorded.set.pairs: the stream "trades" has no field "pairs"; did you mean "pair"?"#),
        Mistake("set: {pair: XRP/ETH}", "set: {price: cheap}", #"4:77: sources.recorded.set.price: expected a double for the field "price", found cheap"#),
        Mistake("map: {trade_id: id}", "map: {pair: id}", #"4:92: sources.recorded.map.pair: "pair" is set to a constant already"#),
        Mistake("rate: 200/s", "map: {}", #"3:75: sources.synthetic: unknown key "map"; known: categories, dirt, drift, duplicates, gaps, kind, late, outliers, pairs, rate, seed, set, stream"#),
    ]

    // One mistake a line, however long.
    // swift-format-ignore
    static let streams = [
        Mistake("key: pair", "key: pear", #"7:10: streams.trades.key: the stream has no field "pear"; did you mean "pair"?"#),
        Mistake("key: pair", "key: side", #"7:10: streams.trades.key: the key field "side" may not be missing; write its type without ?"#),
        Mistake("key: pair", "key: [pair, price]", #"7:17: streams.trades.key[1]: the key field "price" is double; a key is string or int"#),
        Mistake("time: timestamp_ms", "time: price", #"8:11: streams.trades.time: the time field "price" is double; time is int (milliseconds) or time"#),
        Mistake("keep: 10000", "keep: 0", "9:37: streams.trades.dedupe.keep: expected a whole number from 1 to 10000000, found 0"),
        Mistake("keep: 10000", "keep: \"5\"", "9:37: streams.trades.dedupe.keep: expected a whole number from 1 to 10000000, found the text \"5\""),
        Mistake("price: double", "price: duoble", #"10:69: streams.trades.fields.price: unknown type "duoble"; did you mean "double"?"#),
        Mistake("from: [pair, product_id], type", "from: [], type", "10:27: streams.trades.fields.pair.from: expected at least one name, found an empty list"),
        Mistake("price: \"> 0\"", "price: \"positive\"", #"11:22: streams.trades.require.price: a condition begins with a comparison, such as "> 0"; found "positive""#),
        Mistake("price: \"> 0\"", "price: \"> side\"", #"11:23: streams.trades.require.price: ">" does not compare a double with a string"#),
        Mistake("price: \"> 0\"", "price: \"> lag(price, 1)\"", "11:22: streams.trades.require.price: a condition looks at one record only"),
        Mistake("price: \"> 0\"", "prise: \"> 0\"", #"11:15: streams.trades.require.prise: the stream has no field "prise"; did you mean "price"?"#),
    ]

    // One mistake a line, however long.
    // swift-format-ignore
    static let views = [
        Mistake("    from: trades\n", "    from: trads\n", #"14:11: views.candles.from: there is no stream, table or view "trads"; did you mean "trades"?"#),
        Mistake("    from: candles\n", "    from: indicators\n", "20:11: views.indicators.from: views cannot read each other in a circle: indicators → indicators"),
        Mistake("length: 60s", "length: 60", "15:22: views.candles.window.length: expected a duration from 1ms to 366d, such as 500ms, 60s, 10m, 1h or 1d, found 60"),
        Mistake("gaps: forward", "gaps: backward", #"15:44: views.candles.window.gaps: unknown way to fill gaps "backward"; known: forward, none, null"#),
        Mistake("gaps: forward, ", "", "15:38: views.candles.window.max_gap: only says something with gaps: forward or gaps: null"),
        Mistake("length: 60s", "length: 1ms", "15:62: views.candles.window.max_gap: a gap of 1d would be filled with more than a million rows"),
        Mistake("    topic: technical_indicators\n", "    window: {length: 60s}\n", #"21:5: views.indicators.window: a window reads a stream or a table, and "candles" is a view"#),
        Mistake("topic: technical_indicators", "topic: candles", #"21:5: views.indicators.topic: the topic "candles" belongs to the view "candles""#),
        Mistake("topic: technical_indicators", "topic: predictions", #"21:5: views.indicators.topic: the topic "predictions" belongs to the system itself"#),
        Mistake("topic: technical_indicators", "outliers: {column: return_1, rule: mad, action: quarantine}", #"21:5: views.indicators.outliers: "threshold" is missing"#),
        Mistake("last(price)", "last(prise)", #"17:19: views.candles.columns.close: unknown column "prise"; did you mean "price"?"#),
        Mistake("sum(quantity)", "sma(quantity, 3)", "18:15: views.candles.columns.volume: sma works over the rows of a key: a window has no rows to look back on; use it in a view that reads this one"),
        Mistake("sma(close, 7)", "max(close)", "24:14: views.indicators.columns.sma_7: max is an aggregate and needs a view with a window"),
        Mistake("sma(close, 7)", "lead(close, 10m)", "24:14: views.indicators.columns.sma_7: lead looks into the future and is legal only in training.target"),
        Mistake("sma(close, 7)", "sma(close 7)", #"24:24: views.indicators.columns.sma_7: expected ")" or ",", found 7"#),
        Mistake("sma(close, 7)", "snma(close, 7)", #"24:14: views.indicators.columns.sma_7: unknown function "snma"; did you mean "sma"?"#),
        Mistake("      volume: sum(quantity)\n", "      pair: count()\n", #"18:7: views.candles.columns.pair: the key "pair" is in every row by itself"#),
        Mistake("      volume: sum(quantity)\n", "      is_final: count()\n", #"18:7: views.candles.columns.is_final: "is_final" is a column that rows carry of themselves"#),
        Mistake("    columns:\n      close: last", "    where: lag(close, 1) > 0\n    columns:\n      close: last", "16:12: views.candles.where: the condition of a window cannot look at other rows; filter in a view that reads this one"),
        Mistake("    columns:\n      close: last", "    where: closed > 0\n    columns:\n      close: last", #"16:12: views.candles.where: unknown column "closed"; did you mean "close"?"#),
        Mistake("    topic: technical_indicators\n", "    where: close\n", "21:12: views.indicators.where: a condition must be true or false, not a double"),
    ]

    // One mistake a line, however long.
    // swift-format-ignore
    static let training = [
        Mistake("view: indicators", "view: indicator", #"28:9: training.view: there is no view "indicator"; did you mean "indicators"?"#),
        Mistake("lead(close, 10m)}", "lead(clsoe, 10m)}", #"29:38: training.target.price_in_10_minutes: unknown column "clsoe"; did you mean "close"?"#),
        Mistake("lead(close, 10m)}", "lead(close, 10)}", "29:45: training.target.price_in_10_minutes: lead looks ahead by time: a duration such as 10m is needed here, not 10"),
        Mistake("{price_in_10_minutes: lead(close, 10m)}", "rising", "29:11: training.target: the target is bool; a regression predicts a number"),
        Mistake("task: regression", "task: clustering", #"30:9: training.task: unknown task "clustering"; known: regression"#),
        Mistake("exclude: [close]", "exclude: [closed]", #"31:13: training.exclude[0]: the view "indicators" has no column "closed"; did you mean "close"?"#),
        Mistake("exclude: [close]", "features: [sma_7, sma_8]", #"31:21: training.features[1]: the view "indicators" has no column "sma_8"; did you mean "sma_7"?"#),
        Mistake("exclude: [close]", "schedule: \"0 * * * *\"", #"31:3: training: "schedule" is not supported yet; known: baselines, budget, candidates, exclude, features, gate, metric, missing, model, split, target, task, view"#),
        Mistake("reject_rows_above: 0.01", "reject_rows_above: 2", "32:81: training.missing.reject_rows_above: expected a share from 0 to 1, found 2"),
        Mistake("numeric: median", "numeric: mode", "32:22: training.missing.numeric: expected median, mean or constant(NUMBER), found mode"),
        Mistake("test: 0.2", "test: 1", "33:29: training.split.test: expected a share from 0.01 to 0.9, found 1"),
        Mistake("kind: time", "kind: random", "33:10: training.split: a random split lets a model see the future of a target that lies ahead; use kind: time"),
        Mistake("metric: mae", "metric: mea", #"34:11: training.metric: unknown metric "mea"; did you mean "mae"?"#),
        Mistake("current(close), mean", "current(price), mean", #"35:15: training.baselines[0]: the view "indicators" has no column "price"; known: close, is_final, pair, return_1, rising, sma_7, synthetic, window_end_ms, window_start_ms"#),
        Mistake("current(close), mean", "last, mean", #"35:15: training.baselines[0]: unknown baseline "last"; known: current(COLUMN), mean"#),
        Mistake("kind: ridge", "kind: huber", #"38:14: training.candidates[1].kind: unknown kind of model "huber"; known: ridge, xgboost"#),
        Mistake("kind: ridge,", "kind: ridge, relative_to: clsoe,", #"38:34: training.candidates[1].relative_to: the view "indicators" has no column "clsoe"; did you mean "close"?"#),
        Mistake("kind: ridge,", "kind: ridge, relative_to: rising,", #"38:34: training.candidates[1].relative_to: "rising" is bool, not a number"#),
        Mistake("kind: ridge,", "kind: ridge, relative_to: [close],", "38:34: training.candidates[1].relative_to: expected the name of a column, found a list"),
        Mistake("kind: xgboost,", "kind: xgboost, relative_to: close,", "37:36: training.candidates[0].relative_to: only ridge counts its errors relative to a column, not xgboost"),
        Mistake("max_depth: int(2, 10)", "maxdepth: int(2, 10)", #"37:32: training.candidates[0].search: xgboost has no parameter "maxdepth"; did you mean "max_depth"?"#),
        Mistake("max_depth: int(2, 10)", "max_depth: linear(2, 10)", "37:43: training.candidates[0].search.max_depth: max_depth takes whole numbers only; write int(2, 10)"),
        Mistake("eta: log(0.01, 0.5)", "eta: log(0, 0.5)", "37:60: training.candidates[0].search.eta: a log range begins above 0"),
        Mistake("eta: log(0.01, 0.5)", "eta: log(0.5, 0.01)", "37:60: training.candidates[0].search.eta: the range ends before it begins; write the smaller number first"),
        Mistake("rounds: 200", "rounds: many", "37:84: training.candidates[0].search.rounds: expected int(a, b), linear(a, b), log(a, b) or a number, found many"),
        Mistake("trials: 30", "trials: 0", "39:20: training.budget.trials: expected a whole number from 1 to 100000, found 0"),
        Mistake("confidence: 0.95", "confidence: 1", "40:44: training.gate.confidence: expected a number from 0.5 to 0.999, found 1"),
        Mistake("slices: [pair]", "slices: [pairs]", #"40:100: training.gate.slices[0]: the view "indicators" has no column "pairs"; did you mean "pair"?"#),
    ]

    // One mistake a line, however long.
    // swift-format-ignore
    static let use = [
        Mistake("[{name: crypto-price-10m,", "[{name: crypto-price-1m,", #"43:19: serving.models[0].name: training makes no model "crypto-price-1m"; did you mean "crypto-price-10m"?"#),
        Mistake("features_from: indicators", "features_from: indicator", #"44:18: serving.features_from: there is no view "indicator"; did you mean "indicators"?"#),
        Mistake("features_from: indicators", "features_from: candles", #"44:18: serving.features_from: the model is trained on "sma_7" and 1 more of "indicators", which "candles" does not have with the same definition; serve from "indicators""#),
        Mistake("  features_from: indicators\n", "", "44:11: serving.stream: predicting every new row needs features_from, the view whose rows they are"),
        Mistake("stream: true", "stream: yes", "45:11: serving.stream: expected true or false, found yes"),
        Mistake("min_rows: 100", "min_rows: 0", "47:35: monitoring.windows.min_rows: expected a whole number from 1 on, found 0"),
        Mistake("labels: {from: candles, key: pair", "labels: {from: candles, key: side", #"48:32: monitoring.labels.key: the key of "candles" is pair, not "side""#),
        Mistake("horizon: 10m, value", "horizon: 5m, value", "48:47: monitoring.labels.horizon: the target lies 10m ahead, so its labels do; found 5m"),
        Mistake("value: close", "value: price", #"48:59: monitoring.labels.value: the view "candles" has no column "price"; known: close, is_final, pair, synthetic, volume, window_end_ms, window_start_ms"#),
        Mistake("method: auto", "method: kl", #"49:19: monitoring.drift.method: unknown drift method "kl"; did you mean "ks"?"#),
        Mistake("share: 0.5", "share: 0", "49:32: monitoring.drift.share: expected a share above 0, up to 1, found 0"),
    ]

    @Test(arguments: structure + sources + streams + views + training + use)
    func `a mistake is told once, at its place, with what would be right`(mistake: Mistake) throws {
        let problems = try ProjectText.problems(ProjectText.replacing([(mistake.old, mistake.new)]))
        #expect(problems == [mistake.problem])
    }

    @Test func `the file that the mistakes are made in is sound`() throws {
        #expect(try ProjectText.problems(ProjectText.lines) == [])
    }

    @Test func `all mistakes of a file are told at once, from top to bottom`() throws {
        let text = ProjectText.replacing([
            ("method: auto", "method: kl"), ("last(price)", "last(prise)"), ("project: crypto", "project: \"\""),
            ("trials: 30", "trials: none"), ("metric: mae", "metrik: mae"),
        ])
        #expect(
            try ProjectText.problems(text) == [
                "mlops.yaml:1:10: project: expected a name, found the text \"\"",
                #"mlops.yaml:17:19: views.candles.columns.close: unknown column "prise"; did you mean "price"?"#,
                #"mlops.yaml:34:3: training: unknown key "metrik"; did you mean "metric"?"#,
                "mlops.yaml:39:20: training.budget.trials: expected a whole number from 1 to 100000, found none",
                #"mlops.yaml:49:19: monitoring.drift.method: unknown drift method "kl"; did you mean "ks"?"#,
            ])
    }

    @Test func `what rests on a mistake is not told as another one`() throws {
        let text = ProjectText.replacing([("timestamp_ms: int}", "timestamp_ms: integer}")])
        #expect(
            try ProjectText.problems(text) == [
                #"mlops.yaml:10:143: streams.trades.fields.timestamp_ms: unknown type "integer"; known: bool, double, int, string, time"#
            ])
    }

    @Test func `views that read each other in a circle are told once, and views that hang from them are not`() throws {
        let text = """
            project: loops
            streams:
              s: {key: k, time: t, fields: {k: string, t: int}}
            views:
              a: {from: b, columns: {x: k}}
              b: {from: c, columns: {x: k}}
              c: {from: a, columns: {x: k}}
              d: {from: a, columns: {x: k}}
            """
        #expect(
            try ProjectText.problems(text) == ["mlops.yaml:5:13: views.a.from: views cannot read each other in a circle: a → b → c → a"])
    }

    @Test func `one name cannot be a stream and a view`() throws {
        let text = """
            project: clash
            streams:
              s: {key: k, time: t, fields: {k: string, t: int}}
            views:
              s: {from: s, topic: other, columns: {x: t}}
            """
        #expect(try ProjectText.problems(text) == ["mlops.yaml:5:3: views.s: there is a stream of this name already"])
    }

    @Test func `tables are read, and what needs their columns is refused with a reason`() throws {
        let text = """
            project: taxi
            tables:
              trips: {path: "data/green_*.parquet", time: lpep_pickup_datetime}
            views:
              rides:
                from: trips
                columns: {duration: minutes(dropoff - pickup), route: concat(a, "_", b)}
                where: duration >= 1 and duration <= 60
              bad: {from: trips, window: {length: 1h}, columns: {n: count()}}
            training: {view: rides, target: duration, candidates: [{kind: ridge}], model: taxi}
            """
        #expect(
            try ProjectText.problems(text) == [
                #"mlops.yaml:9:22: views.bad.window: a window belongs to an entity, but the table "trips" has no key"#,
                #"mlops.yaml:10:18: training.view: learning from the table "trips" is not supported yet; views of a stream are"#,
            ])
    }
}
