import Domain

extension SequenceFunction {
    /// How far prices reach within a row and from row to row, with the warm-up and seeding of TA-Lib.
    static let ranges: [SequenceFunction] = [
        real(
            "trange(high, low, close)", "The true range: the greatest of high − low and their distances to the row before's close.",
            inputs: 3, parameters: []
        ) { _ in TrueRange().kernel },
        real("atr(high, low, close, n)", "Wilder's average true range over n rows.", inputs: 3, parameters: [.rows(from: 1)]) {
            AverageTrueRange(average: WilderStep(rows: $0[0]), isShare: false).kernel
        },
        real(
            "natr(high, low, close, n)", "The average true range in percent of the close; 0 where that is 0.", inputs: 3,
            parameters: [.rows(from: 2)]
        ) { AverageTrueRange(average: WilderStep(rows: $0[0]), isShare: true).kernel },
        real(
            "adx(high, low, close, n)", "Wilder's average directional index over n rows: how strong a trend is, 0 to 100.", inputs: 3,
            parameters: [.rows(from: 2)]
        ) { DirectionalIndex(average: WilderStep(rows: $0[0])).kernel },
    ]
}

/// Source: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978. Inputs are high, low and close.
struct TrueRange: RealOperator {
    var inputs: Int { 3 }
    /// The last close.
    var reals: Int { 1 }
    var warmUp: Int { 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        if memory.seen > 0 { output[0] = Self.of(input[0], input[1], after: memory.reals[0]) }
        memory.reals[0] = input[2]
        memory.seen = memory.seen &+ 1
    }

    @inline(__always)
    static func of(_ high: Double, _ low: Double, after close: Double) -> Double {
        Swift.max(high - low, (high - close).magnitude, (low - close).magnitude)
    }
}

struct AverageTrueRange: RealOperator {
    let average: WilderStep
    /// In percent of the close.
    let isShare: Bool

    var inputs: Int { 3 }
    /// The last close and the average.
    var reals: Int { 2 }
    var warmUp: Int { average.rows }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let bar = memory.seen, reals = memory.reals, close = input[2]
        let range = TrueRange.of(input[0], input[1], after: reals[0])
        reals[0] = close
        memory.seen = bar &+ 1
        guard bar > 0 else { return }
        if average.add(range, number: bar - 1, &reals[1]) {
            output[0] = !isShare ? reals[1] : isResidue(close) ? 0 : reals[1] / close * 100
        }
        memory.restart(2, unless: reals[1].isFinite)
    }
}

/// How one-sided prices move: directional movements and true ranges are summed with Wilder's decay, and the index is the
/// average of their relative difference. A row without range or movement leaves the index as it is.
///
/// Source: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978.
struct DirectionalIndex: RealOperator {
    let average: WilderStep

    var inputs: Int { 3 }
    /// Last high, low and close; upward movement, downward movement, range; the index.
    var reals: Int { 7 }
    var warmUp: Int { 2 * average.rows - 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let bar = memory.seen, reals = memory.reals, rows = average.rows
        let rise = input[0] - reals[0], fall = reals[1] - input[1]
        let range = TrueRange.of(input[0], input[1], after: reals[2])
        for index in 0..<3 { reals[index] = input[index] }
        memory.seen = bar &+ 1
        guard bar > 0 else { return }
        if bar >= Int64(rows) { for index in 3..<6 { reals[index] -= reals[index] / Double(rows) } }
        if fall > 0, rise < fall {
            reals[4] += fall
        } else if rise > 0, rise > fall {
            reals[3] += rise
        }
        reals[5] += range
        let number = bar - Int64(rows)
        if number >= 0 {
            if let movement = movement(reals) {
                _ = average.add(movement, number: number, &reals[6])
            } else if number < Int64(rows) {
                _ = average.add(0, number: number, &reals[6])
            }
            if number >= Int64(rows) - 1 { output[0] = reals[6] }
        }
        memory.restart(7, unless: reals[5].isFinite && (reals[3] + reals[4]).isFinite && reals[6].isFinite)
    }

    /// The relative difference of the two movements, 0 to 100.
    @inline(__always)
    private func movement(_ reals: UnsafeMutablePointer<Double>) -> Double? {
        guard !isResidue(reals[5]) else { return nil }
        let up = 100 * (reals[3] / reals[5]), down = 100 * (reals[4] / reals[5])
        return isResidue(up + down) ? nil : 100 * ((down - up).magnitude / (up + down))
    }
}
