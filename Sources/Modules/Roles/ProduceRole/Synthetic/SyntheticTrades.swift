package import Domain
import Foundation

/// Seeded trades of several pairs: the same seed gives the same bytes on every machine.
///
/// Each pair's price is a slow fair value, which moves through calm, trending and stormy regimes, times a deviation that
/// reverts to it within minutes. The reversion is what a model can learn: a price above its recent average tends to fall.
/// Trades arrive as a Poisson process whose rate follows the regime; quantities are log-normal.
package struct SyntheticTrades: Sendable {
    package struct Trade: Sendable, Equatable {
        package let pair: String
        package let price: Double
        package let quantity: Double
        package let side: String
        package let id: Int64
        package let time: EventTime.Milliseconds
        /// Prices of the pair are multiples of this.
        package let tick: Double

        /// The same trade at other terms.
        func changed(price: Double, quantity: Double) -> Trade {
            let step = max(tick, (price / tick).rounded() * tick)
            return Trade(
                pair: pair, price: SyntheticTrades.rounded(step, tick),
                quantity: max(0.000_01, (quantity * 100_000).rounded() / 100_000), side: side, id: id, time: time, tick: tick)
        }
    }

    private enum Regime: CaseIterable { case calm, rising, falling, stormy }

    private struct Market {
        let pair: String
        /// Price steps are this small.
        let tick: Double
        var logFair: Double
        var deviation = 0.0
        var regime = Regime.calm
        var regimeEnds: Double
        var lastTime: Double
        var trades: Int64 = 0
    }

    private var random: RandomSource
    private var markets: [Market]
    /// Trades per millisecond of event time, all pairs together.
    private let rate: Double
    /// Milliseconds, with the fraction that the recorded time drops.
    private var clock: Double
    private var spareNormal: Double?

    /// - Parameters:
    ///   - pairs: At least one; each has its own price level.
    ///   - rate: Trades per second of event time, all pairs together; positive.
    ///   - start: Time of the first trade, about.
    package init(pairs: [String], rate: Double, seed: UInt64, start: EventTime.Milliseconds) {
        random = RandomSource(seed: seed)
        self.rate = rate / 1_000
        clock = Double(start)
        markets = pairs.enumerated().map { index, pair in
            let level = Self.levels[pair] ?? 100 * Double(index + 1)
            return Market(
                pair: pair, tick: level > 100 ? 0.01 : level > 1 ? 0.0001 : 0.000_000_1, logFair: log(level),
                regimeEnds: Double(start), lastTime: Double(start))
        }
    }

    private static let levels = [
        "BTC/USD": 60_000.0, "BTC/EUR": 55_000, "ETH/USD": 3_000, "ETH/EUR": 2_750, "SOL/USD": 150, "SOL/EUR": 138, "XRP/USD": 0.55,
        "XRP/EUR": 0.5, "XRP/ETH": 0.000_18,
    ]

    /// The next trade; there is always one.
    package mutating func next() -> Trade {
        clock += -log(1 - random.uniform()) / rate
        let index = random.index(below: markets.count)
        move(index, to: clock)
        markets[index].trades += 1
        let market = markets[index]
        let spread = market.tick * Double(random.index(below: 3))
        let isBuy = random.uniform() < 0.5
        let exact = exp(market.logFair + market.deviation) + (isBuy ? spread : -spread)
        let price = max(market.tick, (exact / market.tick).rounded() * market.tick)
        let quantity = exp(normal() * 1.2 - 1) * 10_000 / exp(market.logFair)
        return Trade(
            pair: market.pair, price: Self.rounded(price, market.tick),
            quantity: max(0.000_01, (quantity * 100_000).rounded() / 100_000), side: isBuy ? "buy" : "sell", id: market.trades,
            time: EventTime.Milliseconds(clock), tick: market.tick)
    }

    /// Per minute: how fast a deviation fades, how much noise it gets, and how the fair value drifts and shakes.
    private static let reversion = 0.3
    private static let deviationNoise = 0.001_4

    private mutating func move(_ index: Int, to time: Double) {
        if time >= markets[index].regimeEnds {
            markets[index].regime = Regime.allCases[random.index(below: Regime.allCases.count)]
            markets[index].regimeEnds = time + 60_000 * (30 + 210 * random.uniform())
        }
        let minutes = (time - markets[index].lastTime) / 60_000
        markets[index].lastTime = time
        let (drift, shake) =
            switch markets[index].regime {
            case .calm: (0.0, 0.000_1)
            case .rising: (0.000_05, 0.000_15)
            case .falling: (-0.000_05, 0.000_15)
            case .stormy: (0.0, 0.000_35)
            }
        markets[index].logFair += drift * minutes + shake * minutes.squareRoot() * normal()
        let keep = exp(-Self.reversion * minutes)
        let noise = Self.deviationNoise * ((1 - keep * keep) / (2 * Self.reversion)).squareRoot()
        markets[index].deviation = markets[index].deviation * keep + noise * normal()
    }

    /// Box–Muller; the second value of a pair is kept for the next call.
    private mutating func normal() -> Double {
        if let spare = spareNormal {
            spareNormal = nil
            return spare
        }
        let radius = (-2 * log(1 - random.uniform())).squareRoot(), angle = 2 * Double.pi * random.uniform()
        spareNormal = radius * sin(angle)
        return radius * cos(angle)
    }

    /// Removes the binary dust of a multiple of the tick, so that 0.1 + 0.2 never shows as 0.30000000000000004.
    fileprivate static func rounded(_ price: Double, _ tick: Double) -> Double {
        let scale = (1 / tick).rounded()
        return (price * scale).rounded() / scale
    }
}
