package import Domain
package import Features
import Table

/// Synthetic trades as events of a stream whose fields are named like those of a trade.
package final class SyntheticSource: EventSource {
    private var trades: PlantedTrades
    private let start: EventTime.Milliseconds
    private let end: EventTime.Milliseconds?
    private let encoder: TradeEncoder
    private let truth: TruthFile?

    /// - Parameters:
    ///   - end: As the trades have it; `nil` goes on for ever.
    ///   - encoder: Knows the stream and its categories.
    ///   - truth: Where to tell what was planted.
    package init(
        trades: PlantedTrades, start: EventTime.Milliseconds, end: EventTime.Milliseconds?, encoder: TradeEncoder, truth: TruthFile? = nil
    ) {
        self.trades = trades
        self.start = start
        self.end = end
        self.encoder = encoder
        self.truth = truth
    }

    package func next(_ limit: Int) throws -> [SourceEvent] {
        var events: [SourceEvent] = []
        events.reserveCapacity(limit)
        while events.count < limit, let item = trades.next() {
            let trade = item.trade
            events.append(
                encoder.event(
                    pair: trade.pair, price: trade.price, quantity: trade.quantity, side: trade.side, id: String(trade.id),
                    time: trade.time, categories: item.categories))
        }
        try truth?.append(trades.takeTruth())
        return events
    }

    package func span(notAfter latest: EventTime.Milliseconds) -> ClosedRange<EventTime.Milliseconds>? { end.map { start...$0 } }
}

/// Trades as events of a stream: each field gets what its name, or a name it may come from, usually means.
package struct TradeEncoder: Sendable {
    private enum Field { case pair, price, quantity, side, id, time, category(Int), constant(Value) }

    private let encoder: RowEncoder
    private let fields: [(field: Field, type: ValueType)]
    private let keyFields: [Int]

    /// - Parameters:
    ///   - constants: Fields set by the project file.
    ///   - categories: Fields that are given with every trade, in this order.
    package init(stream: StreamDefinition, constants: [(field: String, value: Value)], categories: [String] = []) {
        encoder = RowEncoder(columns: stream.fields.map { $0.sources[0] })
        fields = stream.fields.map { field in
            if let constant = constants.first(where: { $0.field == field.name }) { return (.constant(constant.value), field.type) }
            if let category = categories.firstIndex(of: field.name) { return (.category(category), field.type) }
            return (Self.meaning(field, isTime: field.name == stream.time), field.type)
        }
        keyFields = stream.key.compactMap { name in stream.fields.firstIndex { $0.name == name } }
    }

    private static func meaning(_ field: RowDecoder.Field, isTime: Bool) -> Field {
        if isTime { return .time }
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

    package func event(
        pair: String, price: Double, quantity: Double, side: String, id: String, time: EventTime.Milliseconds, categories: [String] = []
    ) -> SourceEvent {
        let values = fields.map { field, type -> Value in
            switch field {
            case .pair: .string(pair)
            case .price: .double(price)
            case .quantity: .double(quantity)
            case .side: .string(side)
            case .id: type == .int ? Int64(id).map(Value.int) ?? .string(id) : .string(id)
            case .time: .int(time)
            case .category(let index): categories.indices.contains(index) ? .string(categories[index]) : .null
            case .constant(let value): value
            }
        }
        let key = (try? EntityKey(keyFields.map { values[$0] }))?.bytes
        return SourceEvent(time: time, key: key, value: encoder.encode(values))
    }
}
