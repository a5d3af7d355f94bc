import Columnar
import Domain
import Foundation

/// What was planted where: one line of the truth file.
package struct Truth: Sendable, Equatable {
    /// A JSON object; its `kind` comes first.
    package let json: [UInt8]

    private init(_ kind: String, _ fields: [(String, Value)]) {
        json = JSONText.object([("kind", .string(kind))] + fields.map { (name: $0.0, value: $0.1) })
    }

    private static func place(_ trade: SyntheticTrades.Trade) -> [(String, Value)] {
        [("pair", .string(trade.pair)), ("trade_id", .string(String(trade.id))), ("timestamp_ms", .int(trade.time))]
    }

    static func duplicate(_ trade: SyntheticTrades.Trade) -> Truth { Truth("duplicate", place(trade)) }

    static func late(_ trade: SyntheticTrades.Trade, by: EventTime.Milliseconds) -> Truth {
        Truth("late", place(trade) + [("by_ms", .int(by))])
    }

    static func outlier(_ trade: SyntheticTrades.Trade, meant: Double) -> Truth {
        Truth("outlier", place(trade) + [("price", .double(trade.price)), ("meant", .double(meant))])
    }

    static func category(field: String, _ spelled: String, meant: String, _ trade: SyntheticTrades.Trade) -> Truth {
        Truth("category", place(trade) + [("field", .string(field)), ("value", .string(spelled)), ("meant", .string(meant))])
    }

    static func gap(pair: String, _ span: Range<EventTime.Milliseconds>, withheld: Int) -> Truth {
        Truth(
            "gap",
            [
                ("pair", .string(pair)), ("from_ms", .int(span.lowerBound)), ("to_ms", .int(span.upperBound)),
                ("withheld", .int(Int64(withheld))),
            ])
    }

    static func drift(from: EventTime.Milliseconds, to: EventTime.Milliseconds, _ price: Double, _ quantity: Double) -> Truth {
        Truth("drift", [("from_ms", .int(from)), ("to_ms", .int(to)), ("price", .double(price)), ("quantity", .double(quantity))])
    }
}

/// The file that says what was planted, written anew whenever the source is opened: a source that goes on generates what it
/// had sent before once more.
package final class TruthFile {
    private let path: String
    private let handle: FileHandle

    package init(path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil), let handle = FileHandle(forWritingAtPath: path) else {
            throw ColumnarError(.io, "open", file: path, "the truth file cannot be written")
        }
        self.handle = handle
    }

    func append(_ truth: [Truth]) throws {
        guard !truth.isEmpty else { return }
        do {
            try handle.write(contentsOf: truth.reduce(into: Data()) { $0 += $1.json + [UInt8(ascii: "\n")] })
        } catch {
            throw ColumnarError(.io, "write", file: path, "\(error)")
        }
    }
}
