import EventLog
import Markets

extension BookPosition {
    /// What to remember with these trades: the last one of each pair.
    static func changes(_ trades: [MarketTrade]) -> [LogUnit.StateChange] {
        var last: [String: BookPosition] = [:]
        for trade in trades { last[trade.pair] = BookPosition(id: trade.id, nanoseconds: trade.nanoseconds) }
        return last.sorted { $0.key < $1.key }.map {
            LogUnit.StateChange(key: Array((MarketSender.bookKey + $0.key).utf8), value: Array($0.value.text.utf8))
        }
    }
}

extension TradeEncoder {
    func event(_ trade: MarketTrade) -> SourceEvent {
        event(
            pair: trade.pair, price: trade.price, quantity: trade.quantity, side: trade.side.rawValue, id: String(trade.id),
            time: trade.time)
    }
}
