package import Domain
package import Features
import Table

/// Synthetic trades as events of a stream whose fields are named like those of a trade.
package final class SyntheticSource: EventSource {
    private var trades: SyntheticTrades
    private let start: EventTime.Milliseconds
    /// `nil` goes on for ever.
    private let end: EventTime.Milliseconds?
    private let encoder: RowEncoder
    private let fields: [Field]
    private let keyFields: [Int]
    private var isDone = false

    /// What a stream field gets from a trade.
    private enum Field { case pair, price, quantity, side, id, time, constant(Value) }

    /// - Parameters:
    ///   - duration: Milliseconds of event time to generate; `nil` for no end.
    ///   - constants: Fields set by the project file.
    package init(
        trades: SyntheticTrades, start: EventTime.Milliseconds, duration: EventTime.Milliseconds?, stream: StreamDefinition,
        constants: [(field: String, value: Value)]
    ) {
        self.trades = trades
        self.start = start
        end = duration.map { start + $0 }
        encoder = RowEncoder(columns: stream.fields.map { $0.sources[0] })
        fields = stream.fields.map { field in
            if let constant = constants.first(where: { $0.field == field.name }) { return .constant(constant.value) }
            if field.name == stream.time { return .time }
            for name in [field.name] + field.sources {
                switch name {
                case "pair", "product_id", "symbol": return .pair
                case "price": return .price
                case "quantity", "qty", "amount", "size": return .quantity
                case "side": return .side
                case "trade_id", "id": return .id
                case "timestamp_ms", "timestamp", "time": return .time
                default: continue
                }
            }
            return .constant(.null)
        }
        keyFields = stream.key.compactMap { name in stream.fields.firstIndex { $0.name == name } }
    }

    package func next(_ limit: Int) -> [SourceEvent] {
        var events: [SourceEvent] = []
        events.reserveCapacity(limit)
        while events.count < limit, !isDone {
            let trade = trades.next()
            if let end, trade.time >= end {
                isDone = true
                break
            }
            let values = fields.map { value($0, of: trade) }
            let key = (try? EntityKey(keyFields.map { values[$0] }))?.bytes
            events.append(SourceEvent(time: trade.time, key: key, value: encoder.encode(values)))
        }
        return events
    }

    package func span(notAfter latest: EventTime.Milliseconds) -> ClosedRange<EventTime.Milliseconds>? { end.map { start...$0 } }

    private func value(_ field: Field, of trade: SyntheticTrades.Trade) -> Value {
        switch field {
        case .pair: .string(trade.pair)
        case .price: .double(trade.price)
        case .quantity: .double(trade.quantity)
        case .side: .string(trade.side)
        case .id: .string(String(trade.id))
        case .time: .int(trade.time)
        case .constant(let value): value
        }
    }
}
