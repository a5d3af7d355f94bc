import Domain
import Foundation

extension ScalarFunction {
    /// Functions of numbers.
    static let mathematics: [ScalarFunction] = [
        real("sqrt(x)", "The square root; null below zero.") { $0.squareRoot() },
        real("log(x)", "The natural logarithm; null at and below zero.") { Foundation.log($0) },
        real("exp(x)", "e to the power x.") { Foundation.exp($0) },
        absolute, round, clip,
        extreme("least", "The smallest of its arguments; null when one is null.") { $0 < $1 },
        extreme("greatest", "The greatest of its arguments; null when one is null.") { $0 > $1 },
    ]

    private static let absolute = ScalarFunction("abs(x)", "The value without its sign.") { types throws(Mismatch) in
        try requireNumber(types[0], argument: 0)
        guard types[0] == .int else {
            return Resolution(arguments: [.double], result: .double) { arguments, _, _ in
                Vector(doubles: arguments[0].doubles.map(\.magnitude), nulls: arguments[0].nulls)
            }
        }
        return Resolution(arguments: [.int], result: .int) { arguments, _, counts in
            let values = arguments[0].ints
            return Operators.checked(values, values, arguments[0].nulls, &counts.overflows) { value, _ in
                value < 0 ? Int64(0).subtractingReportingOverflow(value) : (value, false)
            }
        }
    }

    private static let round = ScalarFunction(
        "round(x, digits)", "Rounded to a number of decimal places (0 unless given), halves away from zero.", arity: 1...2
    ) { types throws(Mismatch) in
        try requireNumber(types[0], argument: 0)
        if types.count == 2 { try require(types[1], .int, argument: 1) }
        if types.count == 1 {
            return Resolution(arguments: [.double], result: .double) { arguments, _, _ in
                Vector(doubles: arguments[0].doubles.map { $0.rounded(.toNearestOrAwayFromZero) }, nulls: arguments[0].nulls)
            }
        }
        return Resolution(arguments: [.double, .int], result: .double) { arguments, count, _ in
            let values = arguments[0].doubles, digits = arguments[1].ints
            var result = [Double](repeating: 0, count: count)
            for row in 0..<count { result[row] = rounded(values[row], digits: digits[row]) }
            return Vector(doubles: result, nulls: Vector.anyNull(arguments))
        }
    }

    private static func rounded(_ value: Double, digits: Int64) -> Double {
        guard (-308...308).contains(digits) else { return digits > 0 ? value : 0 }
        let factor = Foundation.pow(10, Double(abs(digits)))
        let scaled = digits >= 0 ? value * factor : value / factor
        // A number too large to scale has no digits that far right.
        guard scaled.isFinite else { return value }
        let whole = scaled.rounded(.toNearestOrAwayFromZero)
        return digits >= 0 ? whole / factor : whole * factor
    }

    private static let clip = ScalarFunction(
        "clip(x, low, high)", "x, but not below low nor above high; null where low is above high."
    ) { types throws(Mismatch) in
        for (index, type) in types.enumerated() { try requireNumber(type, argument: index) }
        guard try common(types) == .int else {
            return Resolution(arguments: [.double, .double, .double], result: .double) { arguments, count, _ in
                let (x, low, high) = (arguments[0].doubles, arguments[1].doubles, arguments[2].doubles)
                var result = [Double](repeating: 0, count: count)
                for row in 0..<count {
                    result[row] = low[row] > high[row] ? .nan : x[row] < low[row] ? low[row] : x[row] > high[row] ? high[row] : x[row]
                }
                return Vector(doubles: result, nulls: Vector.anyNull(arguments))
            }
        }
        return Resolution(arguments: [.int, .int, .int], result: .int) { arguments, count, _ in
            let (x, low, high) = (arguments[0].ints, arguments[1].ints, arguments[2].ints)
            var result = [Int64](repeating: 0, count: count)
            var nulls = Vector.anyNull(arguments) ?? [Bool](repeating: false, count: count)
            for row in 0..<count where !nulls[row] {
                if low[row] > high[row] { nulls[row] = true } else { result[row] = Swift.min(Swift.max(x[row], low[row]), high[row]) }
            }
            return Vector(ints: result, nulls: nulls.contains(true) ? nulls : nil)
        }
    }

    /// `least` and `greatest`: the argument that `wins` against all others.
    private static func extreme(
        _ name: String, _ summary: String, _ wins: @escaping @Sendable (Double, Double) -> Bool
    ) -> ScalarFunction {
        ScalarFunction("\(name)(a, b, …)", summary, arity: 2...16) { types throws(Mismatch) in
            let type = try common(types)
            guard type.isNumeric || type == .time else { throw Mismatch("expects numbers or times, not \(type.named)") }
            let isLeast = name == "least"
            return Resolution(arguments: Array(repeating: type, count: types.count), result: type) { arguments, count, _ in
                let nulls = Vector.anyNull(arguments)
                if type == .double {
                    var result = arguments[0].doubles
                    for other in arguments.dropFirst() {
                        let values = other.doubles
                        for row in 0..<count where wins(values[row], result[row]) { result[row] = values[row] }
                    }
                    return Vector(doubles: result, nulls: nulls)
                }
                var result = arguments[0].ints
                for other in arguments.dropFirst() {
                    let values = other.ints
                    for row in 0..<count where isLeast ? values[row] < result[row] : values[row] > result[row] { result[row] = values[row] }
                }
                return type == .time ? Vector(times: result, nulls: nulls) : Vector(ints: result, nulls: nulls)
            }
        }
    }
}
