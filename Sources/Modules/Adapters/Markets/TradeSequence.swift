/// The latest trade of a pair that has been passed on.
package struct BookPosition: Sendable, Equatable {
    package let id: Int64
    package let nanoseconds: Int64

    /// Numbers that trades may have: what is counted on from them does not overflow.
    static let ids: ClosedRange<Int64> = 0...(1 << 62)

    package init(id: Int64, nanoseconds: Int64) {
        self.id = id
        self.nanoseconds = nanoseconds
    }

    init(_ trade: MarketTrade) { self.init(id: trade.id, nanoseconds: trade.nanoseconds) }

    /// As it is kept: `id nanoseconds`.
    package var text: String { "\(id) \(nanoseconds)" }

    /// - Returns: `nil` for what no trade can have left.
    package init?(_ text: String) {
        let words = text.split(separator: " ").compactMap { Int64($0) }
        guard words.count == 2, Self.ids.contains(words[0]) else { return nil }
        self.init(id: words[0], nanoseconds: words[1])
    }
}

/// Puts the trades of several pairs into the order of their numbers: each once, none left out without being told.
///
/// The numbers of a pair's trades go up by one. What was passed on before is a repeat; a number that is missing is a gap,
/// which whoever has the connection may repair and then ``fill(_:with:)``. A repeat is no younger than the last trade: several
/// trades with lower numbers that are show that the exchange counts anew, or that the last number was wrong.
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
        /// Where numbers have gone back: the last trade before, by pair.
        package var restarts: [String: BookPosition] = [:]
        /// Where it stopped, and what is left from there on.
        package var gap: Gap?
        package var rest: [MarketTrade] = []
    }

    package private(set) var books: [String: BookPosition]
    /// Trades that are younger than the last of their pair although their numbers are lower, in the order of their numbers.
    private var younger: [String: [MarketTrade]] = [:]

    /// So much younger a trade must be, in nanoseconds: exchanges do not order trades of the same moment.
    private static let clearly: Int64 = 1_000_000_000
    /// One such trade may be a mistake of the exchange's, so many are not.
    private static let proof = 3

    /// - Parameter books: Where an earlier run came to.
    package init(books: [String: BookPosition] = [:]) { self.books = books }

    /// Takes trades in the order of their coming, up to the first gap.
    package mutating func take(_ trades: [MarketTrade]) -> Step {
        var step = Step()
        for (index, trade) in trades.enumerated() {
            if let book = books[trade.pair] {
                if trade.id <= book.id {
                    let proven = suspect(trade, after: book)
                    guard let last = proven.last else {
                        step.repeats += 1
                        continue
                    }
                    step.restarts[trade.pair] = book
                    step.accepted += proven
                    books[trade.pair] = BookPosition(last)
                    continue
                }
                younger[trade.pair] = nil
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

    /// - Returns: The trades with which the pair's numbers begin anew, once there are enough of them.
    private mutating func suspect(_ trade: MarketTrade, after book: BookPosition) -> [MarketTrade] {
        let (age, overflow) = trade.nanoseconds.subtractingReportingOverflow(book.nanoseconds)
        guard !overflow, age > Self.clearly else { return [] }
        let known = younger[trade.pair] ?? []
        if let last = known.last, trade.id <= last.id {
            // The same again is no further proof; what begins lower begins anew.
            if !known.contains(where: { $0.id == trade.id }) { younger[trade.pair] = [trade] }
            return []
        }
        guard known.count + 1 >= Self.proof else {
            younger[trade.pair] = known + [trade]
            return []
        }
        younger[trade.pair] = nil
        return known + [trade]
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
