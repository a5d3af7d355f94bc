import Domain

/// Computes one result cell per row from argument vectors of that many rows, and counts what is worth knowing.
typealias Kernel = @Sendable (_ arguments: [Vector], _ rowCount: Int, _ counts: inout EvaluationCounts) -> Vector

/// What happened to values while expressions were computed.
package struct EvaluationCounts: Sendable, Equatable {
    /// Integer results that left 64 bits and became null.
    package var overflows = 0
    /// Values looked up in a vocabulary, and those of them that it does not know.
    package var looked = 0
    package var unknown = 0

    package init() {}

    package static func += (a: inout EvaluationCounts, b: EvaluationCounts) {
        a.overflows += b.overflows
        a.looked += b.looked
        a.unknown += b.unknown
    }
}

/// A function or operator of one row: its name, what it takes, and how its type and kernel follow from its arguments.
struct ScalarFunction: Sendable {
    /// What a call comes to.
    struct Resolution: Sendable {
        /// The types the kernel wants, without the constants at the end that it holds itself; the compiler widens ints and types
        /// nulls accordingly.
        let arguments: [ValueType]
        let result: ValueType
        let kernel: Kernel
    }

    /// The arguments do not fit.
    struct Mismatch: Error {
        let message: String
        /// Which argument; `nil` for the call.
        let argument: Int?

        init(_ message: String, argument: Int? = nil) {
            self.message = message
            self.argument = argument
        }
    }

    let name: String
    /// How to call it: `clip(x, low, high)`.
    let usage: String
    let summary: String
    let arity: ClosedRange<Int>
    /// Types of the arguments, `nil` being the literal `null`, which takes any type; and those arguments that are literals.
    let resolve: @Sendable (_ types: [ValueType?], _ literals: [Syntax.Literal?]) throws(Mismatch) -> Resolution

    init(
        _ usage: String, _ summary: String, arity: ClosedRange<Int>? = nil,
        resolve: @escaping @Sendable (_ types: [ValueType?]) throws(Mismatch) -> Resolution
    ) {
        self.init(usage, summary, arity: arity, resolvingLiterals: { types, _ throws(Mismatch) in try resolve(types) })
    }

    init(
        _ usage: String, _ summary: String, arity: ClosedRange<Int>? = nil,
        resolvingLiterals resolve: @escaping @Sendable (_ types: [ValueType?], _ literals: [Syntax.Literal?]) throws(Mismatch) -> Resolution
    ) {
        self.usage = usage
        self.summary = summary
        name = String(usage.prefix { $0 != "(" })
        let parameters = usage.contains("()") ? 0 : usage.count { $0 == "," } + 1
        self.arity = arity ?? parameters...parameters
        self.resolve = resolve
    }

    /// The whole library; a family adds a function by adding an entry to its table.
    static let all: [String: ScalarFunction] = {
        let families = [mathematics, texts, patterns, categories, calendar, choices]
        return Dictionary(families.joined().map { ($0.name, $0) }) { first, _ in first }
    }()
}

extension ScalarFunction {
    /// A function of doubles; ints widen, results that are not finite become null.
    static func real(_ usage: String, _ summary: String, _ body: @escaping @Sendable (Double) -> Double) -> ScalarFunction {
        ScalarFunction(usage, summary) { types throws(Mismatch) in
            try requireNumber(types[0], argument: 0)
            return Resolution(arguments: [.double], result: .double) { arguments, _, _ in
                Vector(doubles: arguments[0].doubles.map(body), nulls: arguments[0].nulls)
            }
        }
    }

    static func requireNumber(_ type: ValueType?, argument: Int) throws(Mismatch) {
        guard let type else { return }
        guard type.isNumeric else { throw Mismatch("expects a number, not \(type.named)", argument: argument) }
    }

    static func require(_ type: ValueType?, _ expected: ValueType, argument: Int) throws(Mismatch) {
        guard let type, type != expected else { return }
        throw Mismatch("expects \(expected.named), not \(type.named)", argument: argument)
    }

    /// The one type of several arguments, ints widened where they meet doubles.
    static func common(_ types: [ValueType?], from first: Int = 0) throws(Mismatch) -> ValueType {
        var common: ValueType?
        for (index, type) in types.enumerated() where index >= first {
            guard let type else { continue }
            guard let sofar = common, sofar != type else {
                common = type
                continue
            }
            guard sofar.isNumeric, type.isNumeric else {
                throw Mismatch("\(type.named) does not go with \(sofar.named)", argument: index)
            }
            common = .double
        }
        guard let common else { throw Mismatch("needs a value whose type is known, not only null") }
        return common
    }
}

extension ValueType {
    /// With its article, for messages.
    var named: String { self == .int ? "an int" : "a \(rawValue)" }
}
