import Domain
import Expressions
import Table
import Testing

@testable import Features

@Suite struct WarmUpTests {
    @Test func `warm-up adds up along a column and along views, and only where operators look back`() throws {
        func view(_ name: String, _ from: ViewDefinition.Input, _ columns: [(String, String)]) throws -> ViewDefinition {
            ViewDefinition(
                name: name, topic: name, from: from, window: nil,
                columns: try columns.map { .init(name: $0.0, expression: try .parse($0.1)) }, filter: nil)
        }
        let definitions = [
            try view("first", .stream("trades"), [("price", "price"), ("mean", "sma(price, 5)"), ("both", "mean + lag(price, 2)")]),
            try view(
                "second", .view("first"),
                [
                    ("x", "price"), ("y", "sma(ema(mean, 3), 4)"), ("m", "macd(both, 2, 4, 3)"), ("z", "y - lag(x, 30)"),
                    ("f", "if(x > 1, y, x)"),
                ]),
        ]
        let stream = StreamDefinition(
            name: "trades", topic: "trades", key: ["pair"], time: "at",
            fields: [.init("pair", .string), .init("price", .double), .init("at", .int)], dedupe: nil, require: [])
        let views = try CompiledViews(of: stream, definitions: definitions)
        #expect(views.warmUp(of: "first") == ["price": 0, "mean": 4, "both": 4])
        let second = views.warmUp(of: "second")
        #expect(second == ["x": 0, "y": 9, "m": 9, "m_signal": 9, "m_hist": 9, "z": 30, "f": 9])
        #expect(views.warmUp(of: "none").isEmpty)
    }
}
