import Domain

extension SequenceFunction {
    /// How far the last values lie from their mean, with the warm-up of TA-Lib.
    static let deviations: [SequenceFunction] = [
        average("std_over(x, n)", "The population standard deviation of the last n values.") {
            MovingDeviation(ring: Ring(rows: $0)).kernel
        },
        average("stddev(x, n)", "The population standard deviation of the last n values; another name of std_over.") {
            MovingDeviation(ring: Ring(rows: $0)).kernel
        },
        real(
            "bollinger(x, n, k)",
            "The mean of the last n values with a band of k standard deviations; makes three columns: NAME_upper, NAME_middle and NAME_lower.",
            parameters: [.rows(from: 2), .number(0...1_000_000)], suffixes: ["_upper", "_middle", "_lower"]
        ) { BollingerBands(ring: Ring(rows: $0[0]), width: $0.number(1)).kernel },
    ]
}

extension Ring {
    /// Mean and population deviation of a full ring, in two passes, so that prices far from zero lose no digits.
    @inline(__always)
    func moments(_ memory: OperatorMemory) -> (mean: Double, deviation: Double) {
        let mean = mean(memory)
        var squares = 0.0
        forEach(memory) {
            let distance = $0 - mean
            squares += distance * distance
        }
        return (mean, (squares / Double(rows)).squareRoot())
    }
}

struct MovingDeviation: RealOperator {
    let ring: Ring

    var reals: Int { ring.reals }
    var warmUp: Int { ring.rows - 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        if ring.add(input[0], memory) { output[0] = ring.moments(memory).deviation }
    }
}

/// Source: J. Bollinger, "Bollinger on Bollinger Bands", 2001; mean and population deviation over the same rows.
struct BollingerBands: RealOperator {
    let ring: Ring
    /// Half the band, in standard deviations.
    let width: Double

    var outputs: Int { 3 }
    var reals: Int { ring.reals }
    var warmUp: Int { ring.rows - 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        guard ring.add(input[0], memory) else { return }
        let (mean, deviation) = ring.moments(memory)
        output[0] = mean + width * deviation
        output[1] = mean
        output[2] = mean - width * deviation
    }
}
