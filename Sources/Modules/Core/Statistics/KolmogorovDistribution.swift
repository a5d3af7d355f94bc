import Foundation

/// The distribution of the two-sided one-sample Kolmogorov statistic.
///
/// Where the tail is thin, twice the one-sided probability is exact to double precision; elsewhere the matrix power of
/// Marsaglia, Tsang and Wang serves small samples and Pelz and Good's expansion large ones.
///
/// Source: R. Simard and P. L'Ecuyer, "Computing the Two-Sided Kolmogorov–Smirnov Distribution", Journal of Statistical
/// Software 39(11), 2011, for the choice of method.
package enum KolmogorovDistribution {
    /// Probability of a distance of at least `distance` from a sample of `size`.
    package static func survival(size: Int, distance: Double) -> Double {
        guard size > 0 else { return 1 }
        let n = Double(size)
        let steps = n * distance
        if distance >= 1 { return 0 }
        if steps <= 0.5 { return 1 }
        let scaled = steps * distance
        if scaled >= 370 { return 0 }
        if distance >= 0.5 || scaled >= (size <= 140 ? 4 : 2.2) { return min(1, 2 * oneSided(size, distance)) }
        let below: Double
        if size <= 140 || (size <= 100_000 && n * pow(distance, 1.5) <= 1.4) {
            below = matrixPower(size, distance)
        } else {
            below = expansion(n, distance)
        }
        return min(1, max(0, 1 - below))
    }

    /// Probability that the empirical distribution function exceeds the true one by at least `d` somewhere.
    ///
    /// Source: Z. W. Birnbaum and F. H. Tingey, "One-Sided Confidence Contours for Probability Distribution Functions", 1951.
    static func oneSided(_ size: Int, _ d: Double) -> Double {
        let n = Double(size)
        let last = Int((n * (1 - d)).rounded(.down))
        var sum = 0.0
        var logBinomial = 0.0
        for v in 0...max(0, last) {
            if v > 0 { logBinomial += log(n - Double(v) + 1) - log(Double(v)) }
            let share = d + Double(v) / n
            let rest = 1 - share
            if rest <= 0 { continue }
            sum += exp(logBinomial + Double(v - 1) * log(share) + (n - Double(v)) * log1p(-share))
        }
        return d * sum
    }

    /// Probability of a smaller distance, by the power of a matrix of order 2·⌈n·d⌉ − 1.
    ///
    /// Source: G. Marsaglia, W. W. Tsang and J. Wang, "Evaluating Kolmogorov's Distribution", Journal of Statistical
    /// Software 8(18), 2003.
    static func matrixPower(_ size: Int, _ d: Double) -> Double {
        let n = Double(size)
        let k = Int((n * d).rounded(.up))
        let order = 2 * k - 1
        let h = Double(k) - n * d
        var base = SquareMatrix(order: order)
        for row in 0..<order {
            for column in 0..<order where row - column + 1 >= 0 { base[row, column] = 1 }
        }
        for index in 0..<order {
            base[index, 0] -= pow(h, Double(index + 1))
            base[order - 1, index] -= pow(h, Double(order - index))
        }
        base[order - 1, 0] += 2 * h - 1 > 0 ? pow(2 * h - 1, Double(order)) : 0
        for row in 0..<order {
            for column in 0..<order where row - column + 1 > 0 {
                for divisor in 1...(row - column + 1) { base[row, column] /= Double(divisor) }
            }
        }
        let (power, exponent) = base.raised(to: size)
        var result = power[k - 1, k - 1]
        var scale = exponent
        for i in 1...size {
            result *= Double(i) / n
            if result < 1e-140 {
                result *= 1e140
                scale -= 140
            }
        }
        return result * pow(10, Double(scale))
    }

    /// Probability of a smaller distance, for large samples: the limit law and its corrections to order n^(−3/2).
    ///
    /// Source: W. Pelz and I. J. Good, "Approximating the Lower Tail-Areas of the Kolmogorov–Smirnov One-Sample
    /// Statistic", Journal of the Royal Statistical Society B 38(2), 1976.
    static func expansion(_ n: Double, _ d: Double) -> Double {
        let z = n.squareRoot() * d
        let z2 = z * z
        let z4 = z2 * z2
        let z6 = z4 * z2
        let pi2 = Double.pi * Double.pi
        let pi4 = pi2 * pi2
        let root = (Double.pi / 2).squareRoot()
        var sums = (0.0, 0.0, 0.0, 0.0)
        var extra = (0.0, 0.0)
        let terms = Int((16 * z / .pi).rounded(.up)) + 1
        for k in 1...terms {
            let odd = Double(2 * k - 1) / 2
            let half2 = odd * odd
            let half4 = half2 * half2
            let half6 = half4 * half2
            let weight = exp(-half2 * pi2 / (2 * z2))
            sums.0 += weight
            sums.1 += (pi2 * half2 - z2) * weight
            sums.2 += (6 * z6 + 2 * z4 + pi2 * (2 * z4 - 5 * z2) * half2 + pi4 * (1 - 2 * z2) * half4) * weight
            let third = pi2 * pi4 * half6 * (5 - 30 * z2) + pi4 * half4 * (-60 * z2 + 212 * z4)
            sums.3 += (third + pi2 * half2 * (135 * z4 - 96 * z6) - (30 * z6 + 90 * z4 * z4)) * weight
            let whole2 = Double(k * k)
            let wholeWeight = exp(-whole2 * pi2 / (2 * z2))
            extra.0 += pi2 * whole2 * wholeWeight
            extra.1 += (3 * pi2 * whole2 * z2 - pi4 * whole2 * whole2) * wholeWeight
        }
        // Each sum runs over positive and negative indices alike, hence the factor 2 folded into the constants.
        let k0 = 2 * root / z * sums.0
        let k1 = 2 * root / (6 * z4) * sums.1
        let k2 = 2 * root / (72 * z6 * z) * sums.2 - 2 * root / (36 * z2 * z) * extra.0
        let k3 = 2 * root / (6480 * z6 * z4) * sums.3 + 2 * root / (216 * z6) * extra.1
        return k0 + k1 / n.squareRoot() + k2 / n + k3 / (n * n.squareRoot())
    }
}

/// A small dense matrix whose powers carry their own decimal exponent, so they neither overflow nor vanish.
private struct SquareMatrix {
    let order: Int
    var values: [Double]

    init(order: Int) {
        self.order = order
        values = [Double](repeating: 0, count: order * order)
    }

    subscript(row: Int, column: Int) -> Double {
        get { values[row * order + column] }
        set { values[row * order + column] = newValue }
    }

    /// The power and the exponent of ten it must be multiplied by.
    func raised(to exponent: Int) -> (matrix: SquareMatrix, scale: Int) {
        if exponent == 1 { return (self, 0) }
        let half = raised(to: exponent / 2)
        var matrix = half.matrix.multiplied(by: half.matrix)
        var scale = 2 * half.scale
        if exponent % 2 == 1 { matrix = matrix.multiplied(by: self) }
        if matrix[order / 2, order / 2] > 1e140 {
            matrix.values = matrix.values.map { $0 * 1e-140 }
            scale += 140
        }
        return (matrix, scale)
    }

    private func multiplied(by other: SquareMatrix) -> SquareMatrix {
        var result = SquareMatrix(order: order)
        for row in 0..<order {
            for inner in 0..<order {
                let factor = values[row * order + inner]
                if factor == 0 { continue }
                for column in 0..<order { result.values[row * order + column] += factor * other.values[inner * order + column] }
            }
        }
        return result
    }
}
