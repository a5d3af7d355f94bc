import Domain
import Testing

@testable import Project

struct ProjectPlanTests {
    private func text(_ tree: Tree) throws -> String { ProjectPlan.text(try tree.project()) }

    @Test func `the plan shows the whole way of the data in order`() throws {
        let tree = Tree.small
            .setting(
                "sources", ["made": ["kind": "synthetic", "pairs": ["A", "B"], "rate": "10/s", "stream": "trades", "set": ["side": "x"]]]
            )
            .setting("training", .training)
            .setting("serving", ["models": [["name": "small-10m"]], "features_from": "indicators", "stream": "true"])
            .setting("monitoring", ["labels": ["from": "candles", "key": "pair", "horizon": "10m", "value": "close"]])
        let project = try tree.project()
        #expect(
            ProjectPlan.text(project) == """
                project small
                  folder       /project
                  definitions  \(project.hash.hex.prefix(16))

                sources
                  made  → trades  synthetic trades of A, B; 10/s, seed 1; set side = "x"

                stream trades: key pair, time at, topic trades
                  pair   string
                  price  double
                  count  int
                  side   string?
                  at     int

                view candles: from trades, window 1m, grace 0ms, gaps left out, topic candles
                  close  double  last(price)
                  side   string  last(side)
                  n      int     count()
                  every row also has pair, window_start_ms, window_end_ms, is_final, synthetic

                view indicators: from candles, one row per row, topic indicators
                  now          double  close
                  macd         double  macd(close, 3, 5, 2)
                  macd_signal  double  ″
                  macd_hist    double  ″
                  last_side    string  side
                  every row also has pair, window_start_ms, window_end_ms, is_final, synthetic

                training: model small-10m, regression by mae
                  view       indicators
                  target     later, 10m ahead
                  features   5: now, macd, macd_signal, macd_hist, last_side
                  missing    numbers by the median, text by UNKNOWN, at most 0.01 of the rows
                  split      the latest 0.2 of the rows test, 3 validation folds before them
                  baselines  mean
                  candidate  ridge, alpha log(0.0001, 100)
                  candidate  xgboost, max_depth int(2, 10), eta log(0.01, 0.5), rounds int(50, 500)
                  budget     30 trials, 120 s, seed 1
                  gate       better than every baseline and the champion by more than 0, confidence 0.95, at least 200 test rows

                serving
                  model     small-10m, alias champion
                  features  the latest rows of indicators
                  stream    every new final row is predicted

                monitoring
                  windows  1h, at least 100 rows
                  labels   close of candles by pair, 10m ahead, waited for 1h
                  drift    auto, from 0.5 of the columns on

                topics
                  trades             events of trades
                  trades.dead        events that were refused, with the reason
                  trades.late        events whose window had closed
                  candles            rows of candles
                  candles.latest     the latest row of every entity
                  indicators         rows of indicators
                  indicators.latest  the latest row of every entity
                  registry-events    what happens to models
                  predictions        every prediction made

                """)
    }

    @Test func `the plan of a file is the same every time`() throws {
        let first = try text(.small)
        for _ in 0..<5 { #expect(try text(.small) == first) }
    }
}
