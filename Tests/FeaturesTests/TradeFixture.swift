import Domain
import Expressions
import Table
import Testing

@testable import Features

/// A small project: trades → candles → indicators.
struct TradeFixture {
    let stream: StreamDefinition
    let views: CompiledViews

    static func expression(_ text: String) throws -> Expression { try Expression.parse(text) }

    init(
        dedupe: Int? = 100, candleColumns: [(String, String)]? = nil, indicatorColumns: [(String, String)]? = nil, filter: String? = nil,
        window: ViewDefinition.Window = .init(length: 60_000, grace: 5_000, gaps: .forward, maxGap: 86_400_000),
        emit: ViewDefinition.Emit = .final, downstreamEmit: ViewDefinition.Emit = .final,
        outliers: ViewDefinition.Outliers? = nil, minPrice: String = "> 0"
    ) throws {
        stream = StreamDefinition(
            name: "trades", topic: "trades", key: ["pair"], time: "timestamp_ms",
            fields: [
                .init("pair", .string, sources: ["pair", "product_id"]), .init("price", .double), .init("quantity", .double),
                .init("side", .string, isOptional: true), .init("trade_id", .string, isOptional: true), .init("timestamp_ms", .int),
            ],
            dedupe: dedupe.map { StreamDefinition.Dedupe(field: "trade_id", keep: $0) },
            require: [
                .init(field: "price", text: minPrice, condition: try Self.expression("price \(minPrice)")),
                .init(field: "quantity", text: ">= 0", condition: try Self.expression("quantity >= 0")),
            ])
        let candles = ViewDefinition(
            name: "candles", topic: "candles", from: .stream("trades"),
            window: window,
            columns: try
                (candleColumns ?? [
                    ("open", "first(price)"), ("high", "max(price)"), ("low", "min(price)"), ("close", "last(price)"),
                    ("volume", "sum(quantity)"), ("trades", "count()"),
                ]).map { .init(name: $0, expression: try Self.expression($1)) }, filter: nil, emit: emit, outliers: outliers)
        let indicators = ViewDefinition(
            name: "indicators", topic: "technical_indicators", from: .view("candles"), window: nil,
            columns: try
                (indicatorColumns ?? [
                    ("current_price", "close"), ("sma_7", "sma(close, 7)"), ("ema_7", "ema(close, 7)"),
                    ("volume_last_10_minutes", "sum_over(volume, 10)"), ("return_1", "close / lag(close, 1) - 1"),
                ]).map { .init(name: $0, expression: try Self.expression($1)) }, filter: try filter.map(Self.expression),
            emit: downstreamEmit)
        views = try CompiledViews(of: stream, definitions: [candles, indicators])
    }

    func engine() throws -> FeatureEngine { try FeatureEngine(stream: stream, views: views) }
}

/// A record of the trades topic.
struct TestRecord: Sendable {
    var key: String?
    var value: String
    var tick: Tick?
    var time: Int64 = 0
    var ingestedAt: Int64?
}

extension TestRecord {
    static func trade(_ pair: String, _ price: Double, at time: Int64, quantity: Double = 1, id: String? = nil) -> TestRecord {
        let id = id.map { ",\"trade_id\":\"\($0)\"" } ?? ""
        return TestRecord(
            key: pair, value: "{\"pair\":\"\(pair)\",\"price\":\(price),\"quantity\":\(quantity)\(id),\"timestamp_ms\":\(time)}", time: time
        )
    }

    static func end(_ pair: String, at time: Int64) -> TestRecord { TestRecord(key: pair, value: "", tick: .end, time: time) }
}

/// What the engine wrote, as bytes by view.
struct Written: Equatable {
    var rows: [String: [String]] = [:]
    var dead: [DeadRecord] = []
    var late: [Int64] = []
    var duplicates = 0

    /// Rows of a view about one entity, in order.
    func rows(_ view: String, of entity: String) -> [String] { (rows[view] ?? []).filter { $0.contains("\"\(entity)\"") } }
}

func feed(_ records: [TestRecord], to engine: inout FeatureEngine, batch: Int = .max, from first: Int64 = 0) throws -> Written {
    var written = Written()
    func flush() {
        let output = engine.process()
        for (view, rows) in zip(engine.views.views, output.rows) {
            let encoder = RowEncoder(columns: view.schema.columns.map(\.name))
            for row in 0..<rows.count {
                written.rows[view.definition.name, default: []].append(
                    String(decoding: encoder.encode(rows.table, row: row), as: UTF8.self))
            }
        }
        written.dead += output.dead
        written.late += output.late.map(\.offset)
        written.duplicates += output.duplicates
    }
    for (index, record) in records.enumerated() {
        let offset = first + Int64(index)
        if let tick = record.tick, let key = EntityKey(bytes: (record.key ?? "").utf8) {
            engine.addTick(tick, key: key, time: record.time, offset: offset)
        } else {
            Array(record.value.utf8).withUnsafeBytes {
                engine.addEvent($0, hasKey: record.key != nil, offset: offset, ingestedAt: record.ingestedAt)
            }
        }
        if (index + 1) % batch == 0 { flush() }
    }
    flush()
    return written
}
