/// The latest trade of a pair that has been passed on.
package struct BookPosition: Sendable, Equatable {
    package let id: Int64
    package let nanoseconds: Int64

    package init(id: Int64, nanoseconds: Int64) {
        self.id = id
        self.nanoseconds = nanoseconds
    }

    init(_ trade: MarketTrade) { self.init(id: trade.id, nanoseconds: trade.nanoseconds) }

    /// As it is kept: `id nanoseconds`.
    package var text: String { "\(id) \(nanoseconds)" }

    package init?(_ text: String) {
        let words = text.split(separator: " ").compactMap { Int64($0) }
        guard words.count == 2 else { return nil }
        self.init(id: words[0], nanoseconds: words[1])
    }
}

/// Puts the trades of several pairs into the order of their numbers: each once, none left out without being told.
///
/// The numbers of a pair's trades go up by one. What was passed on before is a repeat; a number that is missing is a gap,
/// which whoever has the connection may repair and then ``fill(_:with:)``.
package struct TradeSequence: Sendable {
    package struct Gap: Sendable, Equatable {
        package let pair: String
        /// The last trade before the gap.
        package let after: BookPosition
        /// The first number behind the gap.
        package let next: Int64

        package var missing: Int64 { next - after.id - 1 }
    }

    /// What came of some trades.
    package struct Step: Sendable, Equatable {
        /// To be passed on, in order.
        package var accepted: [MarketTrade] = []
        package var repeats = 0
        /// Where it stopped, and what is left from there on.
        package var gap: Gap?
        package var rest: [MarketTrade] = []
    }

    package private(set) var books: [String: BookPosition]

    /// - Parameter books: Where an earlier run came to.
    package init(books: [String: BookPosition] = [:]) { self.books = books }

    /// Takes trades in the order of their coming, up to the first gap.
    package mutating func take(_ trades: [MarketTrade]) -> Step {
        var step = Step()
        for (index, trade) in trades.enumerated() {
            if let book = books[trade.pair] {
                if trade.id <= book.id {
                    step.repeats += 1
                    continue
                }
                if trade.id > book.id + 1 {
                    step.gap = Gap(pair: trade.pair, after: book, next: trade.id)
                    step.rest = Array(trades[index...])
                    return step
                }
            }
            books[trade.pair] = BookPosition(trade)
            step.accepted.append(trade)
        }
        return step
    }

    /// Takes what was found out about a gap, in the order of the numbers.
    ///
    /// Trades behind the gap are left out: they are coming anyway.
    /// - Returns: What to pass on.
    package mutating func fill(_ gap: Gap, with trades: [MarketTrade]) -> [MarketTrade] {
        var accepted: [MarketTrade] = []
        for trade in trades where trade.pair == gap.pair && trade.id < gap.next && trade.id > (books[gap.pair] ?? gap.after).id {
            books[gap.pair] = BookPosition(trade)
            accepted.append(trade)
        }
        return accepted
    }

    /// Goes on behind a gap, whether or not all of it was found: what stays missing has been told.
    package mutating func close(_ gap: Gap) {
        books[gap.pair] = BookPosition(id: gap.next - 1, nanoseconds: (books[gap.pair] ?? gap.after).nanoseconds)
    }
}
