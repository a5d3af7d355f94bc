import Domain
import Table

extension ScalarFunction {
    /// Functions that choose between values or ask whether there is one. All arguments are always computed, so a
    /// sequence operator inside one sees every row.
    static let choices: [ScalarFunction] = [
        ScalarFunction("if(condition, then, else)", "One of two values; a condition that is null counts as false.") {
            types throws(Mismatch) in
            try require(types[0], .bool, argument: 0)
            let type = try common(types, from: 1)
            return Resolution(arguments: [.bool, type, type], result: type) { arguments, count, _ in
                let condition = arguments[0].bools
                return select(arguments[1], arguments[2], count: count) { !condition[$0] }
            }
        },
        ScalarFunction("coalesce(a, b, …)", "The first argument that is not null.", arity: 2...16) { types throws(Mismatch) in
            let type = try common(types)
            return Resolution(arguments: Array(repeating: type, count: types.count), result: type) { arguments, count, _ in
                arguments.dropFirst().reduce(arguments[0]) { first, second in
                    guard let nulls = first.nulls else { return first }
                    return select(first, second, count: count) { nulls[$0] }
                }
            }
        },
        ScalarFunction("is_null(x)", "Whether there is no value.") { types throws(Mismatch) in
            Resolution(arguments: [types[0] ?? .bool], result: .bool) { arguments, count, _ in
                Vector(bools: arguments[0].nulls ?? [Bool](repeating: false, count: count), nulls: nil)
            }
        },
    ]

    /// `b` where `takesSecond`, else `a`; both have the same type.
    private static func select(_ a: Vector, _ b: Vector, count: Int, _ takesSecond: (Int) -> Bool) -> Vector {
        let second = (0..<count).map(takesSecond)
        var nulls: [Bool]?
        if a.nulls != nil || b.nulls != nil {
            let mask = (0..<count).map { second[$0] ? b.nulls?[$0] ?? false : a.nulls?[$0] ?? false }
            if mask.contains(true) { nulls = mask }
        }
        func mixed<T>(_ a: [T], _ b: [T]) -> [T] { (0..<count).map { second[$0] ? b[$0] : a[$0] } }
        return switch a.values {
        case .bool(let values): Vector(.bool(mixed(values, b.bools)), nulls: nulls)
        case .int(let values): Vector(.int(mixed(values, b.ints)), nulls: nulls)
        case .time(let values): Vector(.time(mixed(values, b.ints)), nulls: nulls)
        case .double(let values): Vector(.double(mixed(values, b.doubles)), nulls: nulls)
        case .string(let values): Vector(.string(mixed(values, b.strings)), nulls: nulls)
        }
    }
}
