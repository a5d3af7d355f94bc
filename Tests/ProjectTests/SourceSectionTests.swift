import Domain
import Testing

@testable import Project

@Suite struct SourceSectionTests {
    private func source(_ source: Tree) throws -> SourceDefinition {
        try Tree.small.setting("sources", ["x": source]).project().sources[0]
    }

    private func refusal(_ source: Tree) -> String {
        do {
            _ = try Tree.small.setting("sources", ["x": source]).project()
            return ""
        } catch { return "\(error)" }
    }

    @Test func `an exchange has pairs, and endpoints when they are others than its own`() throws {
        let plain = try source(["kind": "kraken", "stream": "trades", "pairs": ["BTC/USD"]])
        guard case .market(let market) = plain.kind else { return #expect(Bool(false)) }
        #expect(market == MarketDefinition(exchange: .kraken, pairs: ["BTC/USD"], url: nil, restURL: nil, caFile: nil))
        let other = try source([
            "kind": "binance", "stream": "trades", "pairs": ["BTC/USDT"], "url": "wss://h:1/", "rest_url": "https://h:2/",
            "ca_file": "ca.pem",
        ])
        guard case .market(let market) = other.kind else { return #expect(Bool(false)) }
        #expect(market.exchange == .binance && market.pairs == ["BTC/USDT"] && market.caFile == "ca.pem")
        #expect(market.url == "wss://h:1" && market.restURL == "https://h:2")
    }

    @Test(
        arguments: [
            (["kind": "kraken", "stream": "trades"], "\"pairs\" is missing"),
            (["kind": "kraken", "stream": "trades", "pairs": ["BTCUSD"]], "\"BTCUSD\" is not a pair; write both sides, such as BTC/USD"),
            (["kind": "kraken", "stream": "trades", "pairs": ["A/B"], "url": "https://h"], "expected a URL such as wss://host/path"),
            (["kind": "coinbase", "stream": "trades", "pairs": ["A/B"], "rest_url": "https://h"], "unknown key \"rest_url\""),
            (
                ["kind": "coinbase", "stream": "trades", "pairs": ["A/B"], "channel": "match"],
                "unknown channel \"match\"; did you mean \"matches\"?"
            ),
            (["kind": "krakn", "stream": "trades"], "did you mean \"kraken\"?"),
            (["kind": "topic", "stream": "trades", "topic": "trades"], "would go round for ever"),
            (["kind": "synthetic", "stream": "trades", "pairs": ["A"], "duplicates": "2"], "expected a share from 0 to 1, found 2"),
            (["kind": "synthetic", "stream": "trades", "pairs": ["A"], "gaps": ["every": "1m", "length": "1m"]], "a gap must be shorter"),
            (["kind": "synthetic", "stream": "trades", "pairs": ["A"], "drift": ["after": "1m"]], "say what moves"),
            (["kind": "synthetic", "stream": "trades", "pairs": ["A"], "dirt": "0.1"], "there are none"),
            (["kind": "synthetic", "stream": "trades", "pairs": ["A"], "categories": ["price": ["a"]]], "a category is string"),
            (
                ["kind": "synthetic", "stream": "trades", "pairs": ["A"], "outliers": ["share": "0.1", "factor": "0.5"]],
                "a number above 1"
            ),
        ] as [(Tree, String)])
    func `what does not fit is told`(tree: Tree, words: String) {
        #expect(refusal(tree).contains(words), "\(refusal(tree))")
    }

    @Test func `what is planted is read, and shows in the plan`() throws {
        let tree: Tree = [
            "kind": "synthetic", "stream": "trades", "pairs": ["A"], "drift": ["after": "6h", "over": "1h", "price": "1.5"],
            "gaps": ["every": "1h", "length": "5m"], "duplicates": "0.01", "late": ["share": "0.02", "by": "90s"],
            "outliers": ["share": "0.001"], "categories": ["side": ["SHOE"]], "dirt": "0.3",
        ]
        let found = try source(tree)
        guard case .synthetic(let synthetic) = found.kind else { return #expect(Bool(false)) }
        #expect(synthetic.planting.drift == .init(after: 21_600_000, over: 3_600_000, price: 1.5, quantity: 1))
        #expect(synthetic.planting.late == .init(share: 0.02, by: 90_000) && synthetic.planting.outliers?.factor == 10)
        #expect(SourcePlan.text(found.kind).contains("a gap of 5m every 1h, 0.01 duplicates, 0.02 late by 90s"))
    }

    @Test func `a file may be absent when the project says so`() throws {
        let found = try source(["kind": "file", "stream": "trades", "path": "x.csv", "optional": "true"])
        guard case .file(let path, let isOptional) = found.kind else { return #expect(Bool(false)) }
        #expect(path == "x.csv" && isOptional)
    }
}
