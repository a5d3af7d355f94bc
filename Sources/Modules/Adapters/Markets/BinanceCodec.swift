import Domain
import Web

/// Binance: trade streams for what happens; REST `aggTrades` to find where a time begins and `historicalTrades` for the
/// single trades of the past.
package struct BinanceCodec: MarketCodec {
    package var defaultURL: String { "wss://stream.binance.com:9443" }
    package var defaultRESTURL: String { "https://api.binance.com" }

    /// `BTCUSDT` → `BTC/USDT`.
    private let pairs: [(symbol: String, pair: String)]

    package init(pairs: [String]) { self.pairs = pairs.map { (Self.symbol($0), $0) } }

    static func symbol(_ pair: String) -> String { pair.split(separator: "/").joined().uppercased() }

    package func url(base: String) -> String {
        base + "/stream?streams=" + pairs.map { $0.symbol.lowercased() + "@trade" }.joined(separator: "/")
    }

    /// The URL says it all.
    package func subscriptions() -> [String] { [] }

    package func decode(_ message: [UInt8]) throws(MarketError) -> MarketMessage {
        let json = try exchangeJSON(message)
        guard case .object = json else { throw .malformed("expected an object") }
        if let error = json["error"] { return .refused(error["msg"]?.string ?? "no reason given") }
        let data = json["data"] ?? json
        guard data["e"]?.string == "trade" else { return .other }
        guard let pair = pairs.first(where: { $0.symbol == data["s"]?.string })?.pair, let id = data["t"]?.id,
            let price = ExchangeText.number(data["p"]?.string), let quantity = ExchangeText.number(data["q"]?.string),
            let time = ExchangeText.nanoseconds(milliseconds: data["T"]?.string), let buyerIsMaker = data["m"]?.bool
        else { throw .malformed("a trade without s, t, p, q, T or m") }
        return .trades([
            MarketTrade(
                pair: pair, id: id, price: price, quantity: quantity, side: buyerIsMaker ? .sell : .buy, nanoseconds: time)
        ])
    }

    package func refusal(in answer: [UInt8]) -> String? { (try? exchangeJSON(answer))?["msg"]?.string }

    package func history(of pair: String, from start: HistoryStart) -> (any TradeHistory)? { BinanceHistory(pair: pair, from: start) }
}

/// Pages of `/api/v3/historicalTrades`, by id. A time is first made an id by `/api/v3/aggTrades`.
struct BinanceHistory: TradeHistory {
    private enum State { case at(id: Int64), looking(nanoseconds: Int64), atEnd }

    private let pair: String
    private var state: State
    private static let pageTrades = 1_000

    init(pair: String, from start: HistoryStart) {
        self.pair = pair
        switch start {
        case .after(let id, _): state = .at(id: id + 1)
        case .time(let nanoseconds): state = .looking(nanoseconds: nanoseconds)
        }
    }

    var request: HistoryRequest? {
        let symbol = ("symbol", BinanceCodec.symbol(pair))
        switch state {
        case .at(let id):
            return HistoryRequest(
                "/api/v3/historicalTrades", [symbol, ("fromId", String(id)), ("limit", String(Self.pageTrades))])
        case .looking(let nanoseconds):
            // Rounded up: the first trade must not be before the time.
            let milliseconds = -(-nanoseconds).flooredQuotient(by: 1_000_000)
            return HistoryRequest("/api/v3/aggTrades", [symbol, ("startTime", String(milliseconds)), ("limit", "1")])
        case .atEnd: return nil
        }
    }

    mutating func take(_ answer: [UInt8]) throws(MarketError) -> [MarketTrade] {
        let json = try exchangeJSON(answer)
        guard let rows = json.array else { throw .malformed("expected a list of trades") }
        guard case .at(let first) = state else {
            guard let row = rows.first else {
                state = .atEnd
                return []
            }
            guard let id = row["f"]?.id else { throw .malformed("an aggregate without f") }
            state = .at(id: id)
            return []
        }
        var trades: [MarketTrade] = []
        for row in rows {
            guard let id = row["id"]?.id, let price = ExchangeText.number(row["price"]?.string),
                let quantity = ExchangeText.number(row["qty"]?.string),
                let time = ExchangeText.nanoseconds(milliseconds: row["time"]?.string), let buyerIsMaker = row["isBuyerMaker"]?.bool
            else { throw .malformed("a trade without id, price, qty, time or isBuyerMaker") }
            guard id >= first + Int64(trades.count) else { continue }
            trades.append(
                MarketTrade(
                    pair: pair, id: id, price: price, quantity: quantity, side: buyerIsMaker ? .sell : .buy, nanoseconds: time))
        }
        state = trades.last.map { .at(id: $0.id + 1) } ?? .atEnd
        return trades
    }
}
