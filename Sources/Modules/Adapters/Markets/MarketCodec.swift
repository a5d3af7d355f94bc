import Web

/// The language of one exchange: texts in, trades out, and the other way round. No connection, no clock, no state.
package protocol MarketCodec: Sendable {
    /// The exchange's own endpoints.
    var defaultURL: String { get }
    var defaultRESTURL: String { get }

    /// The URL to connect to.
    /// - Parameter base: The endpoint, without a slash at the end.
    func url(base: String) -> String

    /// What to say once connected, in order.
    func subscriptions() -> [String]

    /// What a message means.
    /// - Throws: ``MarketError`` for what the exchange does not say.
    func decode(_ message: [UInt8]) throws(MarketError) -> MarketMessage

    /// What an answer about the past says instead of trades; `nil` when it does not refuse.
    func refusal(in answer: [UInt8]) -> String?

    /// How to walk through the trades of the past.
    /// - Returns: `nil` when the exchange does not tell them.
    func history(of pair: String, from start: HistoryStart) -> (any TradeHistory)?
}

/// What an exchange said.
package enum MarketMessage: Sendable, Equatable {
    /// In the order of their happening.
    case trades([MarketTrade])
    /// Trades of these pairs will come.
    case subscribed
    /// The exchange does not send what it was asked for.
    case refused(String)
    /// Nothing that matters here: heartbeats, status, answers to pings.
    case other
}

/// Where a walk through the past begins.
package enum HistoryStart: Sendable, Equatable {
    /// Behind a trade that is known.
    case after(id: Int64, nanoseconds: Int64)
    /// With the first trade at or after a time.
    case time(nanoseconds: Int64)
}

/// A walk through the trades of one pair, oldest first: asks for a page and takes the answer, until it is at the end of what
/// there is.
package protocol TradeHistory: Sendable {
    /// What to ask for next; `nil` once everything up to now has been told.
    var request: HistoryRequest? { get }

    /// The trades of a page, those that were told before left out.
    mutating func take(_ answer: [UInt8]) throws(MarketError) -> [MarketTrade]
}

package struct HistoryRequest: Sendable, Equatable {
    package let path: String
    package let query: [(name: String, value: String)]

    package init(_ path: String, _ query: [(name: String, value: String)]) {
        self.path = path
        self.query = query
    }

    /// Path and query as one text, for logs and captures.
    package var text: String { path + "?" + query.map { "\($0.name)=\($0.value)" }.joined(separator: "&") }

    package static func == (a: HistoryRequest, b: HistoryRequest) -> Bool { a.text == b.text }
}

/// The text is not of the exchange's language.
package struct MarketError: Error, Equatable, CustomStringConvertible {
    package let description: String

    static func malformed(_ reason: String) -> MarketError { MarketError(description: reason) }
}

/// Reads a message with its numbers as texts.
func exchangeJSON(_ bytes: [UInt8]) throws(MarketError) -> JSONValue {
    do throws(JSONReader.Error) {
        return try JSONReader.read(bytes, numbersAsText: true)
    } catch {
        throw .malformed("\(error)")
    }
}

extension JSONValue {
    /// A trade's number, which is a text here whatever it was in the message; `nil` for one that no exchange can have come to.
    var id: Int64? { string.flatMap { Int64($0) }.flatMap { BookPosition.ids.contains($0) ? $0 : nil } }
}
