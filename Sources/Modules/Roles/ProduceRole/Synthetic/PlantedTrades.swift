package import Domain
package import Project

/// Seeded trades with something wrong with them on purpose, and the account of what is wrong where.
///
/// What is planted is drawn from a generator of its own, so that the trades themselves are those of the same seed without
/// planting. The events up to a time do not depend on when the source ends.
package struct PlantedTrades: Sendable {
    package struct Item: Sendable, Equatable {
        package let trade: SyntheticTrades.Trade
        /// One per category of the plan, in its order.
        package let categories: [String]
    }

    private var trades: SyntheticTrades
    private let planting: Planting
    private let pairs: [String]
    private let seed: UInt64
    private let start: EventTime.Milliseconds
    /// `nil` goes on for ever.
    private let end: EventTime.Milliseconds?
    private var random: RandomSource
    /// The next event that comes in time.
    private var waiting: Item?
    /// Events that come late, by when they come.
    private var held: [(release: EventTime.Milliseconds, item: Item)] = []
    private var repeated: Item?
    private var truth: [Truth] = []
    private var hasDrifted = false
    private var gap: (number: Int64, pair: String, span: Range<EventTime.Milliseconds>, withheld: Int)?

    /// - Parameter end: Events that come at or after this time do not come.
    package init(_ definition: SyntheticDefinition, rate: Double, start: EventTime.Milliseconds, end: EventTime.Milliseconds?) {
        trades = SyntheticTrades(pairs: definition.pairs, rate: rate, seed: definition.seed, start: start)
        planting = definition.planting
        pairs = definition.pairs
        seed = definition.seed
        self.start = start
        self.end = end
        random = RandomSource(seed: definition.seed ^ 0x706C_616E_7465_6421)
    }

    /// The next event, in the order of arrival; `nil` at the end.
    package mutating func next() -> Item? {
        if let item = repeated {
            repeated = nil
            return item
        }
        if waiting == nil { waiting = draw() }
        guard let item = waiting else { return nil }
        if let late = held.first, late.release <= item.trade.time {
            if let end, late.release >= end { return nil }
            held.removeFirst()
            truth.append(.late(late.item.trade, by: late.release - late.item.trade.time))
            return late.item
        }
        if let end, item.trade.time >= end { return nil }
        waiting = nil
        if planting.duplicates > 0, random.uniform() < planting.duplicates {
            truth.append(.duplicate(item.trade))
            repeated = item
        }
        return item
    }

    /// What has been planted since the last call.
    package mutating func takeTruth() -> [Truth] {
        defer { truth = [] }
        return truth
    }

    /// The next trade that comes in time; late ones are put aside, those in a gap are left out.
    private mutating func draw() -> Item {
        if planting.isEmpty { return Item(trade: trades.next(), categories: []) }
        while true {
            let trade = trades.next()
            if isInGap(trade) { continue }
            let item = Item(trade: strayed(drifted(trade)), categories: planting.categories.map { category($0, trade) })
            guard let late = planting.late, random.uniform() < late.share else { return item }
            // All are late by the same, so that they come in the order in which they were drawn.
            held.append((trade.time + late.by, item))
        }
    }

    private mutating func drifted(_ trade: SyntheticTrades.Trade) -> SyntheticTrades.Trade {
        guard let drift = planting.drift, trade.time >= start + drift.after else { return trade }
        if !hasDrifted {
            hasDrifted = true
            truth.append(.drift(from: start + drift.after, to: start + drift.after + drift.over, drift.price, drift.quantity))
        }
        let progress = min(1, Double(trade.time - start - drift.after) / Double(drift.over))
        return trade.changed(
            price: trade.price * (1 + (drift.price - 1) * progress), quantity: trade.quantity * (1 + (drift.quantity - 1) * progress))
    }

    private mutating func strayed(_ trade: SyntheticTrades.Trade) -> SyntheticTrades.Trade {
        guard let outliers = planting.outliers, random.uniform() < outliers.share else { return trade }
        let isHigh = random.uniform() < 0.5
        let stray = trade.changed(price: isHigh ? trade.price * outliers.factor : trade.price / outliers.factor, quantity: trade.quantity)
        truth.append(.outlier(stray, meant: trade.price))
        return stray
    }

    private mutating func isInGap(_ trade: SyntheticTrades.Trade) -> Bool {
        guard let gaps = planting.gaps else { return false }
        let number = (trade.time - start).flooredQuotient(by: gaps.every)
        if gap?.number != number {
            tellGap()
            // Of the stretch alone, so that it does not matter what was drawn before.
            var place = RandomSource(seed: seed &+ UInt64(bitPattern: number) &* 0x9E37_79B9_7F4A_7C15)
            let pair = pairs[place.index(below: pairs.count)]
            let from = start + number * gaps.every + Int64(place.uniform() * Double(gaps.every - gaps.length))
            gap = (number, pair, from..<from + gaps.length, 0)
        }
        guard let found = gap, found.pair == trade.pair, found.span.contains(trade.time) else {
            if let found = gap, trade.time >= found.span.upperBound { tellGap() }
            return false
        }
        gap?.withheld += 1
        return true
    }

    /// Tells of the present gap once it is over; of one without trades there is nothing to tell.
    private mutating func tellGap() {
        guard let found = gap, found.withheld > 0 else { return }
        truth.append(.gap(pair: found.pair, found.span, withheld: found.withheld))
        gap?.withheld = 0
    }

    private mutating func category(_ category: Planting.Category, _ trade: SyntheticTrades.Trade) -> String {
        let meant = category.values[random.index(below: category.values.count)]
        guard planting.dirt > 0, random.uniform() < planting.dirt else { return meant }
        let spelled = Misspelling.allCases[random.index(below: Misspelling.allCases.count)].apply(meant)
        if spelled != meant { truth.append(.category(field: category.field, spelled, meant: meant, trade)) }
        return spelled
    }
}

/// Ways in which people write the same category.
private enum Misspelling: CaseIterable {
    case upper, lower, capital, plural, blanks

    func apply(_ text: String) -> String {
        switch self {
        case .upper: text.uppercased()
        case .lower: text.lowercased()
        case .capital: text.prefix(1).uppercased() + text.dropFirst().lowercased()
        case .plural: Self.plural(text)
        case .blanks: " \(text)  "
        }
    }

    private static func plural(_ text: String) -> String {
        let isUpper = text == text.uppercased(), lowered = text.lowercased()
        let ending =
            ["s", "x", "z", "ch", "sh"].contains { lowered.hasSuffix($0) } ? "es" : "s"
        return text + (isUpper ? ending.uppercased() : ending)
    }
}
