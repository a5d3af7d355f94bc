import Domain
import Table

/// Arithmetic, comparison and logic.
enum Operators {
    typealias Resolution = ScalarFunction.Resolution
    typealias Mismatch = ScalarFunction.Mismatch

    static func resolve(_ symbol: BinaryOperator, _ types: [ValueType?]) throws(Mismatch) -> Resolution {
        switch symbol {
        case .and: try logic(types, decides: false)
        case .or: try logic(types, decides: true)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: try comparison(symbol, types)
        case .plus, .minus, .times, .divided, .remainder: try arithmetic(symbol, types)
        }
    }

    static func resolve(_ symbol: UnaryOperator, _ type: ValueType?) throws(Mismatch) -> Resolution {
        switch symbol {
        case .not:
            try ScalarFunction.require(type, .bool, argument: 0)
            return Resolution(arguments: [.bool], result: .bool) { arguments, _, _ in
                Vector(bools: arguments[0].bools.map { !$0 }, nulls: arguments[0].nulls)
            }
        case .minus:
            try ScalarFunction.requireNumber(type, argument: 0)
            guard type == .int else {
                return Resolution(arguments: [.double], result: .double) { arguments, _, _ in
                    Vector(doubles: arguments[0].doubles.map { -$0 }, nulls: arguments[0].nulls)
                }
            }
            return Resolution(arguments: [.int], result: .int) { arguments, count, counts in
                let zeros = [Int64](repeating: 0, count: count)
                return checked(zeros, arguments[0].ints, arguments[0].nulls, &counts.overflows) { $0.subtractingReportingOverflow($1) }
            }
        }
    }

    // MARK: Logic

    /// Three-valued `and` (decided by false) and `or` (decided by true): null unless a side decides or both are known.
    private static func logic(_ types: [ValueType?], decides: Bool) throws(Mismatch) -> Resolution {
        for (index, type) in types.enumerated() { try ScalarFunction.require(type, .bool, argument: index) }
        return Resolution(arguments: [.bool, .bool], result: .bool) { arguments, count, _ in
            let a = arguments[0].bools, b = arguments[1].bools
            guard arguments[0].nulls != nil || arguments[1].nulls != nil else {
                return Vector(bools: (0..<count).map { a[$0] == decides || b[$0] == decides ? decides : !decides }, nulls: nil)
            }
            let aNull = arguments[0].nulls ?? Array(repeating: false, count: count)
            let bNull = arguments[1].nulls ?? Array(repeating: false, count: count)
            var values = [Bool](repeating: false, count: count), nulls = values
            for row in 0..<count {
                if (!aNull[row] && a[row] == decides) || (!bNull[row] && b[row] == decides) {
                    values[row] = decides
                } else if aNull[row] || bNull[row] {
                    nulls[row] = true
                } else {
                    values[row] = !decides
                }
            }
            return Vector(bools: values, nulls: nulls.contains(true) ? nulls : nil)
        }
    }

    // MARK: Comparison

    private static func comparison(_ symbol: BinaryOperator, _ types: [ValueType?]) throws(Mismatch) -> Resolution {
        if types.contains(nil) { throw Mismatch("with null is always null; use is_null(x)") }
        let type: ValueType
        do throws(Mismatch) { type = try ScalarFunction.common(types) } catch {
            throw Mismatch("does not compare \(name(types[0])) with \(name(types[1]))")
        }
        if type == .bool, symbol != .equal, symbol != .notEqual { throw Mismatch("does not apply to bools; they are only equal or not") }
        return Resolution(arguments: [type, type], result: .bool) { arguments, _, _ in
            let nulls = Vector.merge(arguments[0].nulls, arguments[1].nulls)
            let bools: [Bool] =
                switch type {
                case .double: compare(symbol, arguments[0].doubles, arguments[1].doubles)
                case .int, .time: compare(symbol, arguments[0].ints, arguments[1].ints)
                case .string: compare(symbol, arguments[0].strings, arguments[1].strings)
                case .bool: zip(arguments[0].bools, arguments[1].bools).map { ($0 == $1) == (symbol == .equal) }
                }
            return Vector(bools: bools, nulls: nulls)
        }
    }

    private static func compare<T: Comparable>(_ symbol: BinaryOperator, _ a: [T], _ b: [T]) -> [Bool] {
        switch symbol {
        case .equal: pairwise(a, b) { $0 == $1 }
        case .notEqual: pairwise(a, b) { $0 != $1 }
        case .less: pairwise(a, b) { $0 < $1 }
        case .lessOrEqual: pairwise(a, b) { $0 <= $1 }
        case .greater: pairwise(a, b) { $0 > $1 }
        default: pairwise(a, b) { $0 >= $1 }
        }
    }

    @inline(__always)
    private static func pairwise<T>(_ a: [T], _ b: [T], _ body: (T, T) -> Bool) -> [Bool] {
        var result = [Bool](repeating: false, count: a.count)
        for row in result.indices { result[row] = body(a[row], b[row]) }
        return result
    }

    // MARK: Arithmetic

    private static func arithmetic(_ symbol: BinaryOperator, _ types: [ValueType?]) throws(Mismatch) -> Resolution {
        if types.contains(.time) { return try timeArithmetic(symbol, types) }
        for (index, type) in types.enumerated() where type?.isNumeric == false {
            let hint = symbol == .plus && type == .string ? "; join text with concat(a, b)" : ""
            throw Mismatch("expects numbers, not \(name(type))\(hint)", argument: index)
        }
        guard try ScalarFunction.common(types) == .int, symbol != .divided else { return real(symbol) }
        return Resolution(arguments: [.int, .int], result: .int) { arguments, _, counts in
            let a = arguments[0].ints, b = arguments[1].ints
            let nulls = Vector.merge(arguments[0].nulls, arguments[1].nulls)
            return switch symbol {
            case .plus: checked(a, b, nulls, &counts.overflows) { $0.addingReportingOverflow($1) }
            case .minus: checked(a, b, nulls, &counts.overflows) { $0.subtractingReportingOverflow($1) }
            case .times: checked(a, b, nulls, &counts.overflows) { $0.multipliedReportingOverflow(by: $1) }
            default: remainder(a, b, nulls)
            }
        }
    }

    private static func real(_ symbol: BinaryOperator) -> Resolution {
        Resolution(arguments: [.double, .double], result: .double) { arguments, _, _ in
            let a = arguments[0].doubles, b = arguments[1].doubles
            let nulls = Vector.merge(arguments[0].nulls, arguments[1].nulls)
            return switch symbol {
            case .plus: each(a, b, nulls) { $0 + $1 }
            case .minus: each(a, b, nulls) { $0 - $1 }
            case .times: each(a, b, nulls) { $0 * $1 }
            case .divided: each(a, b, nulls) { $0 / $1 }
            default: each(a, b, nulls) { $0.truncatingRemainder(dividingBy: $1) }
            }
        }
    }

    @inline(__always)
    private static func each(_ a: [Double], _ b: [Double], _ nulls: [Bool]?, _ body: (Double, Double) -> Double) -> Vector {
        var result = [Double](repeating: 0, count: a.count)
        for row in result.indices { result[row] = body(a[row], b[row]) }
        return Vector(doubles: result, nulls: nulls)
    }

    /// Int arithmetic in which a result beyond 64 bits is null and counted.
    @inline(__always)
    static func checked(
        _ a: [Int64], _ b: [Int64], _ nulls: [Bool]?, _ overflows: inout Int,
        _ body: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)
    ) -> Vector {
        var result = [Int64](repeating: 0, count: a.count), mask = nulls
        for row in result.indices {
            if let nulls, nulls[row] { continue }
            let (value, overflow) = body(a[row], b[row])
            if overflow {
                if mask == nil { mask = [Bool](repeating: false, count: a.count) }
                mask?[row] = true
                overflows += 1
            } else {
                result[row] = value
            }
        }
        return Vector(.int(result), nulls: mask)
    }

    private static func remainder(_ a: [Int64], _ b: [Int64], _ nulls: [Bool]?) -> Vector {
        var result = [Int64](repeating: 0, count: a.count), mask = nulls ?? [Bool](repeating: false, count: a.count)
        for row in result.indices where !mask[row] {
            // The remainder by -1 is 0 for every number, also where the quotient would not fit.
            if b[row] == 0 { mask[row] = true } else if b[row] != -1 { result[row] = a[row] % b[row] }
        }
        return Vector(.int(result), nulls: mask.contains(true) ? mask : nil)
    }

    /// `time - time` is milliseconds; `time ± milliseconds` is a time.
    private static func timeArithmetic(_ symbol: BinaryOperator, _ types: [ValueType?]) throws(Mismatch) -> Resolution {
        switch (types[0], symbol, types[1]) {
        case (.time, .minus, .time):
            return Resolution(arguments: [.time, .time], result: .int) { arguments, _, counts in
                let nulls = Vector.merge(arguments[0].nulls, arguments[1].nulls)
                return checked(arguments[0].ints, arguments[1].ints, nulls, &counts.overflows) { $0.subtractingReportingOverflow($1) }
            }
        case (.time, .plus, .int), (.time, .minus, .int), (.int, .plus, .time):
            let arguments: [ValueType] = types[0] == .time ? [.time, .int] : [.int, .time]
            return Resolution(arguments: arguments, result: .time) { arguments, _, counts in
                let nulls = Vector.merge(arguments[0].nulls, arguments[1].nulls)
                let sum =
                    symbol == .plus
                    ? checked(arguments[0].ints, arguments[1].ints, nulls, &counts.overflows) { $0.addingReportingOverflow($1) }
                    : checked(arguments[0].ints, arguments[1].ints, nulls, &counts.overflows) { $0.subtractingReportingOverflow($1) }
                return Vector(.time(sum.ints), nulls: sum.nulls)
            }
        default:
            throw Mismatch(
                "does not go with \(name(types[0])) and \(name(types[1])); "
                    + "times take \"time - time\" and \"time + duration\"")
        }
    }

    private static func name(_ type: ValueType?) -> String { type?.named ?? "null" }
}
