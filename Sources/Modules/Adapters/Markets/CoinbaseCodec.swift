import Domain
import Web

/// Coinbase: the channel `market_trades` of Advanced Trade, and the `match` messages of the Exchange feed.
///
/// There is no way to ask for trades of the past by their number, so a gap can be told and not repaired.
package struct CoinbaseCodec: MarketCodec {
    package enum Channel: String, Sendable {
        /// Of Advanced Trade.
        case marketTrades = "market_trades"
        /// Of the Exchange feed.
        case matches
    }

    package var defaultURL: String {
        channel == .matches ? "wss://ws-feed.exchange.coinbase.com" : "wss://advanced-trade-ws.coinbase.com"
    }
    package var defaultRESTURL: String { "https://api.exchange.coinbase.com" }

    /// `BTC-USD` → `BTC/USD`.
    private let pairs: [(product: String, pair: String)]
    private let channel: Channel

    package init(pairs: [String], channel: Channel = .marketTrades) {
        self.pairs = pairs.map { ($0.split(separator: "/").joined(separator: "-"), $0) }
        self.channel = channel
    }

    package func url(base: String) -> String { base }

    package func subscriptions() -> [String] {
        let products = String(decoding: JSONText.array(pairs.map { .string($0.product) }), as: UTF8.self)
        if channel == .matches {
            return [#"{"type":"subscribe","product_ids":\#(products),"channels":["matches","heartbeat"]}"#]
        }
        // Channels without trades are closed unless somebody listens to heartbeats.
        return ["market_trades", "heartbeats"].map { #"{"type":"subscribe","product_ids":\#(products),"channel":"\#($0)"}"# }
    }

    package func decode(_ message: [UInt8]) throws(MarketError) -> MarketMessage {
        let json = try exchangeJSON(message)
        guard case .object = json else { throw .malformed("expected an object") }
        switch json["type"]?.string {
        case "error": return .refused([json["message"]?.string, json["reason"]?.string].compactMap(\.self).joined(separator: ": "))
        case "match", "last_match": return .trades([try trade(json, side: json["side"]?.string == "buy" ? .sell : .buy)])
        case "subscriptions": return .subscribed
        default: break
        }
        switch json["channel"]?.string {
        case "subscriptions": return .subscribed
        case "market_trades":
            guard let events = json["events"]?.array else { throw .malformed("a market_trades message without events") }
            var trades: [MarketTrade] = []
            for event in events {
                for entry in event["trades"]?.array ?? [] {
                    guard let side = entry["side"]?.string.flatMap({ MarketTrade.Side(rawValue: $0.lowercased()) }) else {
                        throw .malformed("a trade without side")
                    }
                    trades.append(try trade(entry, side: side))
                }
            }
            // Snapshots tell the latest trade first.
            return .trades(trades.sorted { $0.id < $1.id })
        default: return .other
        }
    }

    private func trade(_ entry: JSONValue, side: MarketTrade.Side) throws(MarketError) -> MarketTrade {
        guard let pair = pairs.first(where: { $0.product == entry["product_id"]?.string })?.pair, let id = entry["trade_id"]?.id,
            let price = ExchangeText.number(entry["price"]?.string), let quantity = ExchangeText.number(entry["size"]?.string),
            let time = ExchangeText.nanoseconds(iso: entry["time"]?.string)
        else { throw .malformed("a trade without product_id, trade_id, price, size or time") }
        return MarketTrade(pair: pair, id: id, price: price, quantity: quantity, side: side, nanoseconds: time)
    }

    package func refusal(in answer: [UInt8]) -> String? { nil }

    package func history(of pair: String, from start: HistoryStart) -> (any TradeHistory)? { nil }
}
