import Domain
import Foundation

/// Proposes the next setting to try, from the scores of the ones tried: a tree-structured Parzen estimator, one
/// parameter at a time.
///
/// Settings are split into the better fifth and the rest; each side becomes a mixture of bells around its members and
/// a flat prior. Of some draws from the better side, the one that is likeliest there against the rest is tried next.
///
/// Source: J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011.
package struct ParzenSearch: Sendable {
    /// Settings drawn blindly before scores are used.
    package static let randomTrials = 5
    private static let draws = 24

    package let ranges: [TrainingDefinition.ParameterRange]
    /// Positions in 0...1 on the scale of each range, with the score; lower is better.
    private var tried: [(positions: [Double], score: Double)] = []
    private var random: RandomSource
    private let first: [Double]?

    /// - Parameter first: The setting to begin with, in the order of the ranges; values outside a range are brought into it.
    package init(ranges: [TrainingDefinition.ParameterRange], first: [Double]? = nil, seed: UInt64) {
        self.ranges = ranges
        self.first = first.flatMap { $0.count == ranges.count ? $0 : nil }
        random = RandomSource(seed: seed)
    }

    /// The next setting, in the order of ``ranges`` and in their units.
    package mutating func propose() -> [Double] {
        if tried.isEmpty, let first { return zip(ranges, first).map { min($0.upper, max($0.lower, $1)) } }
        let positions = tried.count < Self.randomTrials ? ranges.map { _ in random.uniform() } : informedPositions()
        return zip(ranges, positions).map { $0.value(at: $1) }
    }

    /// - Parameter score: Lower is better; a setting that failed is recorded with infinity.
    package mutating func record(_ values: [Double], score: Double) {
        tried.append((zip(ranges, values).map { $0.position(of: $1) }, score.isNaN ? .infinity : score))
    }

    private mutating func informedPositions() -> [Double] {
        let ranked = tried.indices.sorted { (tried[$0].score, $0) < (tried[$1].score, $1) }
        let goodCount = max(1, (tried.count + 4) / 5)
        return ranges.indices.map { dimension in
            let good = Mixture(ranked.prefix(goodCount).map { tried[$0].positions[dimension] })
            let rest = Mixture(ranked.dropFirst(goodCount).map { tried[$0].positions[dimension] })
            var best = (position: 0.5, gain: -Double.infinity)
            for _ in 0..<Self.draws {
                let position = good.draw(&random)
                let gain = log(good.density(position)) - log(rest.density(position))
                if gain > best.gain { best = (position, gain) }
            }
            return best.position
        }
    }
}

/// Bells around points of 0...1 and one flat prior, all of equal weight.
private struct Mixture {
    let bells: [(centre: Double, width: Double)]

    /// A bell is as wide as the gap to its farther neighbour, within bounds that narrow as points gather.
    init(_ points: [Double]) {
        let sorted = points.sorted()
        let narrowest = 1 / Double(min(100, points.count + 2))
        bells = sorted.indices.map { index in
            let below = sorted[index] - (index > 0 ? sorted[index - 1] : 0)
            let above = (index + 1 < sorted.count ? sorted[index + 1] : 1) - sorted[index]
            return (sorted[index], min(1, max(narrowest, max(below, above))))
        }
    }

    func density(_ x: Double) -> Double {
        let sum = bells.reduce(1.0) { sum, bell in
            let distance = (x - bell.centre) / bell.width
            // Cut at the borders, so each bell keeps mass one.
            let mass = 0.5 * (erf((1 - bell.centre) / bell.width / 2.squareRoot()) + erf(bell.centre / bell.width / 2.squareRoot()))
            return sum + exp(-0.5 * distance * distance) / (bell.width * (2 * Double.pi).squareRoot() * mass)
        }
        return sum / Double(bells.count + 1)
    }

    func draw(_ random: inout RandomSource) -> Double {
        let chosen = random.index(below: bells.count + 1)
        guard chosen < bells.count else { return random.uniform() }
        for _ in 0..<100 {
            let radius = (-2 * log(1 - random.uniform())).squareRoot()
            let x = bells[chosen].centre + bells[chosen].width * radius * cos(2 * .pi * random.uniform())
            if x >= 0, x <= 1 { return x }
        }
        return bells[chosen].centre
    }
}

extension TrainingDefinition.ParameterRange {
    /// The value at a position of 0...1 on this range's scale; integers share the range evenly.
    func value(at position: Double) -> Double {
        guard upper > lower else { return lower }
        switch scale {
        case .int: return min(upper, max(lower, (lower + position * (upper - lower + 1)).rounded(.down)))
        case .linear: return lower + position * (upper - lower)
        case .log: return min(upper, max(lower, exp(log(lower) + position * (log(upper) - log(lower)))))
        }
    }

    func position(of value: Double) -> Double {
        guard upper > lower else { return 0.5 }
        let position =
            switch scale {
            case .int: (value - lower + 0.5) / (upper - lower + 1)
            case .linear: (value - lower) / (upper - lower)
            case .log: (log(value) - log(lower)) / (log(upper) - log(lower))
            }
        return min(1, max(0, position))
    }
}
