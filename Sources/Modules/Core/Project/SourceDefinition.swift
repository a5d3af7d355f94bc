package import Domain

/// Where events come from, as declared under `sources:`.
package struct SourceDefinition: Sendable {
    package enum Kind: Sendable {
        /// Seeded trades.
        case synthetic(SyntheticDefinition)
        /// Parquet, CSV or JSON Lines files, relative to the project's folder: one, a pattern, or a folder of them.
        /// - Parameter isOptional: Whether the source is left out, and not an error, while there is no such file.
        case file(path: String, isOptional: Bool)
        /// The trades of an exchange as they happen.
        case market(MarketDefinition)
        /// The records of another topic.
        /// - Parameter log: The log that holds it; `nil` for this one.
        case topic(name: String, log: String?)
    }

    package let name: String
    package let kind: Kind
    /// The stream the events go to.
    package let stream: String
    /// Constant fields added to every event, in declaration order.
    package let set: [(field: String, value: Value)]
    /// Stream field ← source column, in declaration order.
    package let map: [(field: String, column: String)]

    package init(name: String, kind: Kind, stream: String, set: [(field: String, value: Value)], map: [(field: String, column: String)]) {
        self.name = name
        self.kind = kind
        self.stream = stream
        self.set = set
        self.map = map
    }
}

/// Seeded trades, and what is wrong with them on purpose.
package struct SyntheticDefinition: Sendable, Hashable {
    package let pairs: [String]
    /// Trades per second of event time, of all pairs together.
    package let rate: Double
    package let seed: UInt64
    package let planting: Planting

    package init(pairs: [String], rate: Double, seed: UInt64, planting: Planting = Planting()) {
        self.pairs = pairs
        self.rate = rate
        self.seed = seed
        self.planting = planting
    }
}

/// What a synthetic source plants for detectors to find. Times are of events; shares are of events, from 0 to 1.
package struct Planting: Sendable, Hashable {
    /// From `after` the source's start on, over `over`, prices and quantities move to these multiples.
    package struct Drift: Sendable, Hashable {
        package let after: EventTime.Milliseconds
        package let over: EventTime.Milliseconds
        package let price: Double
        package let quantity: Double

        package init(after: EventTime.Milliseconds, over: EventTime.Milliseconds, price: Double, quantity: Double) {
            self.after = after
            self.over = over
            self.price = price
            self.quantity = quantity
        }
    }

    /// In every stretch of `every`, one pair is silent for `length`.
    package struct Gaps: Sendable, Hashable {
        package let every: EventTime.Milliseconds
        package let length: EventTime.Milliseconds

        package init(every: EventTime.Milliseconds, length: EventTime.Milliseconds) {
            self.every = every
            self.length = length
        }
    }

    /// A `share` of the events comes `by` later than it should.
    package struct Late: Sendable, Hashable {
        package let share: Double
        package let by: EventTime.Milliseconds

        package init(share: Double, by: EventTime.Milliseconds) {
            self.share = share
            self.by = by
        }
    }

    /// A `share` of the prices is `factor` times too high, or as much too low.
    package struct Outliers: Sendable, Hashable {
        package let share: Double
        package let factor: Double

        package init(share: Double, factor: Double) {
            self.share = share
            self.factor = factor
        }
    }

    /// A text field that holds one of `values`.
    package struct Category: Sendable, Hashable {
        package let field: String
        package let values: [String]

        package init(field: String, values: [String]) {
            self.field = field
            self.values = values
        }
    }

    package var drift: Drift?
    package var gaps: Gaps?
    /// Share of events that come twice.
    package var duplicates = 0.0
    package var late: Late?
    package var outliers: Outliers?
    package var categories: [Category] = []
    /// Share of category values that are spelled otherwise: other case, plural, blanks around.
    package var dirt = 0.0

    package init() {}

    package var isEmpty: Bool { self == Planting() }
}

/// The trades of some pairs of an exchange.
package struct MarketDefinition: Sendable, Hashable {
    package enum Exchange: String, Sendable, CaseIterable { case kraken, binance, coinbase }

    package let exchange: Exchange
    /// As the project writes them, `BTC/USD`; each is the value of its events' pair field.
    package let pairs: [String]
    /// The WebSocket endpoint; `nil` for the exchange's own.
    package let url: String?
    /// The base of the REST endpoint; `nil` for the exchange's own.
    package let restURL: String?
    /// Certificates to trust instead of the system's, a PEM file relative to the project's folder.
    package let caFile: String?
    /// Of an exchange that tells trades on several; `nil` for its usual one.
    package let channel: Channel?

    package enum Channel: String, Sendable, CaseIterable {
        case marketTrades = "market_trades"
        case matches
    }

    package init(exchange: Exchange, pairs: [String], url: String?, restURL: String?, caFile: String?, channel: Channel? = nil) {
        self.exchange = exchange
        self.pairs = pairs
        self.url = url
        self.restURL = restURL
        self.caFile = caFile
        self.channel = channel
    }
}
