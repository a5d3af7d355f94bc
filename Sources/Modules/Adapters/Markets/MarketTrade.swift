package import Domain

/// One trade, in the terms that all exchanges share.
package struct MarketTrade: Sendable, Equatable {
    package enum Side: String, Sendable { case buy, sell }

    /// As the project writes it: `BTC/USD`.
    package let pair: String
    /// Counts the trades of the pair.
    package let id: Int64
    package let price: Double
    package let quantity: Double
    /// What the taker did.
    package let side: Side
    /// Since the Unix epoch, as precisely as the exchange tells.
    package let nanoseconds: Int64

    package init(pair: String, id: Int64, price: Double, quantity: Double, side: Side, nanoseconds: Int64) {
        self.pair = pair
        self.id = id
        self.price = price
        self.quantity = quantity
        self.side = side
        self.nanoseconds = nanoseconds
    }

    /// Digits beyond the millisecond are dropped, not rounded.
    package var time: EventTime.Milliseconds { nanoseconds.flooredQuotient(by: 1_000_000) }
}

/// How an exchange's texts become numbers: each decimal text is read once, digit by digit as it was written.
enum ExchangeText {
    /// A finite number in decimal digits.
    static func number(_ text: String?) -> Double? {
        guard let text, let first = text.utf8.first, first == UInt8(ascii: "-") || (48...57).contains(first), let value = Double(text),
            value.isFinite
        else { return nil }
        return value
    }

    /// ISO 8601 with any number of fraction digits, of which nine count.
    static func nanoseconds(iso text: String?) -> Int64? {
        guard let text, let milliseconds = EventTime.parse(text) else { return nil }
        let fraction = text.firstIndex(of: ".").map { text[text.index(after: $0)...].prefix { $0.isASCII && $0.isNumber } } ?? ""
        return join(seconds: milliseconds.flooredQuotient(by: 1_000), fraction: fraction)
    }

    /// Seconds since the epoch with a fraction, `1688669597.8277369`: a double would not hold its last digits.
    static func nanoseconds(seconds text: String?) -> Int64? {
        guard let parts = text?.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false), let whole = parts.first,
            !whole.isEmpty, whole.utf8.allSatisfy({ (48...57).contains($0) }), let seconds = Int64(whole)
        else { return nil }
        let fraction = parts.count > 1 ? parts[1] : ""
        guard fraction.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return join(seconds: seconds, fraction: fraction)
    }

    /// Milliseconds, or microseconds when there are too many digits for that.
    static func nanoseconds(milliseconds text: String?) -> Int64? {
        guard let text, let value = Int64(text), value >= 0 else { return nil }
        let scale: Int64 = value < 100_000_000_000_000 ? 1_000_000 : 1_000
        let (product, overflow) = value.multipliedReportingOverflow(by: scale)
        return overflow ? nil : product
    }

    private static func join(seconds: Int64, fraction: some StringProtocol) -> Int64? {
        // ±292 years around the epoch fit.
        guard abs(seconds) < 9_000_000_000 else { return nil }
        let digits = String(fraction.prefix(9))
        return seconds * 1_000_000_000 + (Int64(digits + String(repeating: "0", count: 9 - digits.count)) ?? 0)
    }
}
