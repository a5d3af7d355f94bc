import Domain
import Web

/// Kraken: WebSocket API v2 for what happens, REST `Trades` for what has happened.
package struct KrakenCodec: MarketCodec {
    package var defaultURL: String { "wss://ws.kraken.com/v2" }
    package var defaultRESTURL: String { "https://api.kraken.com" }

    private let pairs: [String]

    package init(pairs: [String]) { self.pairs = pairs }

    package func url(base: String) -> String { base }

    package func subscriptions() -> [String] {
        let symbols = String(decoding: JSONText.array(pairs.map(Value.string)), as: UTF8.self)
        return [#"{"method":"subscribe","params":{"channel":"trade","symbol":\#(symbols),"snapshot":true},"req_id":1}"#]
    }

    package func decode(_ message: [UInt8]) throws(MarketError) -> MarketMessage {
        let json = try exchangeJSON(message)
        guard case .object = json else { throw .malformed("expected an object") }
        if json["method"]?.string == "subscribe" {
            if json["success"]?.bool == true { return .subscribed }
            return .refused(json["error"]?.string ?? "no reason given")
        }
        guard json["channel"]?.string == "trade" else { return .other }
        guard let data = json["data"]?.array else { throw .malformed("a trade message without data") }
        var trades: [MarketTrade] = []
        for entry in data { trades.append(try trade(entry)) }
        return .trades(trades)
    }

    private func trade(_ entry: JSONValue) throws(MarketError) -> MarketTrade {
        guard let pair = entry["symbol"]?.string, pairs.contains(pair), let side = entry["side"]?.string.flatMap(MarketTrade.Side.init),
            let price = ExchangeText.number(entry["price"]?.string), let quantity = ExchangeText.number(entry["qty"]?.string),
            let id = entry["trade_id"]?.id, let time = ExchangeText.nanoseconds(iso: entry["timestamp"]?.string)
        else { throw .malformed("a trade without symbol, side, price, qty, trade_id or timestamp") }
        return MarketTrade(pair: pair, id: id, price: price, quantity: quantity, side: side, nanoseconds: time)
    }

    package func refusal(in answer: [UInt8]) -> String? {
        guard let errors = (try? exchangeJSON(answer))?["error"]?.array, !errors.isEmpty else { return nil }
        return errors.compactMap(\.string).joined(separator: ", ")
    }

    package func history(of pair: String, from start: HistoryStart) -> (any TradeHistory)? { KrakenHistory(pair: pair, from: start) }
}

/// Pages of `/0/public/Trades`, each from where the last one ended.
struct KrakenHistory: TradeHistory {
    private let pair: String
    /// Trades up to this one have been told.
    private var lastID: Int64
    /// Nanoseconds; the exchange answers with what is later.
    private var since: Int64
    private var isAtEnd = false
    private static let pageTrades = 1_000

    init(pair: String, from start: HistoryStart) {
        self.pair = pair
        switch start {
        // Trades of the same moment are asked for again, because one of them may not have been told.
        case .after(let id, let nanoseconds): (lastID, since) = (id, nanoseconds - 1)
        case .time(let nanoseconds): (lastID, since) = (.min, nanoseconds - 1)
        }
    }

    /// What REST calls a pair: its older names of some currencies, and no slash.
    static func symbol(_ pair: String) -> String {
        pair.split(separator: "/").map { ["BTC": "XBT", "DOGE": "XDG"][String($0)] ?? String($0) }.joined()
    }

    var request: HistoryRequest? {
        guard !isAtEnd else { return nil }
        return HistoryRequest(
            "/0/public/Trades", [("pair", Self.symbol(pair)), ("since", String(since)), ("count", String(Self.pageTrades))])
    }

    mutating func take(_ answer: [UInt8]) throws(MarketError) -> [MarketTrade] {
        let json = try exchangeJSON(answer)
        // The pair stands there under another name than it was asked for.
        guard let members = json["result"]?.members, let rows = members.first(where: { $0.key != "last" })?.value.array,
            let last = json["result"]?["last"]?.id
        else { throw .malformed("expected result with trades and last") }
        var trades: [MarketTrade] = []
        for row in rows {
            let trade = try trade(row)
            guard trade.id > lastID else { continue }
            lastID = trade.id
            trades.append(trade)
        }
        isAtEnd = trades.isEmpty && rows.count < Self.pageTrades
        // Trades of the page's last moment may stand on the next page too; a page that is nothing but repeats is passed over.
        since = trades.isEmpty ? last : max(since, last - 1)
        return trades
    }

    private func trade(_ row: JSONValue) throws(MarketError) -> MarketTrade {
        guard let cells = row.array, cells.count >= 7, let price = ExchangeText.number(cells[0].string),
            let quantity = ExchangeText.number(cells[1].string), let time = ExchangeText.nanoseconds(seconds: cells[2].string),
            let side = ["b": MarketTrade.Side.buy, "s": .sell][cells[3].string ?? ""], let id = cells[6].id
        else { throw .malformed("a trade is not price, volume, time, b or s, m or l, text, trade_id") }
        return MarketTrade(pair: pair, id: id, price: price, quantity: quantity, side: side, nanoseconds: time)
    }
}
