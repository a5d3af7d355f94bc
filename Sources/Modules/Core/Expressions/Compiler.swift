import Domain

/// Resolves names, checks types and turns syntax into plans.
struct Compiler {
    /// Where an expression stands, which decides what it may call.
    enum Place {
        case row, window, aggregateArgument, target, leadArgument
    }

    struct Typed {
        let plan: Plan
        /// `nil` is the literal `null`, which takes any type.
        let type: ValueType?
    }

    var scope: Scope
    var place: Place
    /// Memory per key asked for so far.
    private(set) var stateSize = StatePlace()
    /// Distinct aggregate calls so far; a windowed view's frame holds their results before the outputs.
    private(set) var calls: [AggregateCall] = []
    private(set) var callArguments: [(text: String, plan: Plan, type: ValueType)] = []
    /// Distinct values looked up ahead, with how far, milliseconds; they stand in the frame after the inputs.
    private(set) var leads: [(text: String, plan: Plan, type: ValueType, ahead: Int64)] = []
    /// Columns of the input a call's argument is resolved against, inside an aggregate.
    private let inputs: Scope

    init(_ scope: Scope, inputs: Scope? = nil, place: Place) {
        self.scope = scope
        self.inputs = inputs ?? scope
        self.place = place
    }

    /// An expression that is a whole column: an operator may have several outputs here.
    mutating func column(_ syntax: Syntax) throws(ExpressionError) -> (plan: Plan, outputs: [(suffix: String, type: ValueType)]) {
        if case .call(let name, let arguments) = syntax.form, place == .row, let function = SequenceFunction.all[name] {
            let (kernel, plan) = try sequence(function, arguments, at: syntax.offset)
            return (plan, zip(function.suffixes, kernel.outputs).map { ($0, $1) })
        }
        let typed = try compile(syntax)
        guard let type = typed.type else { throw ExpressionError("null alone has no type", at: syntax.offset) }
        return (typed.plan, [("", type)])
    }

    mutating func condition(_ syntax: Syntax) throws(ExpressionError) -> Plan {
        let typed = try compile(syntax)
        guard typed.type == .bool else {
            throw ExpressionError("a condition must be true or false, not \(typed.type?.named ?? "null")", at: syntax.offset)
        }
        return typed.plan
    }

    mutating func compile(_ syntax: Syntax) throws(ExpressionError) -> Typed {
        switch syntax.form {
        case .literal(let literal): return Self.constant(literal)
        case .column(let name):
            if place == .window, inputs.isInput(name) {
                throw ExpressionError(
                    "column \"\(name)\" has many values in a window; name one with an aggregate such as last(\(name))", at: syntax.offset)
            }
            let found = try scope.resolve(name, at: syntax.offset)
            return Typed(plan: .column(found.index), type: found.type)
        case .unary(let symbol, let operand):
            let typed = try compile(operand)
            return try apply([typed], [operand], name: "\"\(symbol.rawValue)\"", at: syntax.offset) {
                types, _ throws(ScalarFunction.Mismatch) in try Operators.resolve(symbol, types[0])
            }
        case .binary(let symbol, let left, let right):
            let sides = [try compile(left), try compile(right)]
            return try apply(sides, [left, right], name: "\"\(symbol.rawValue)\"", at: syntax.offset) {
                types, _ throws(ScalarFunction.Mismatch) in try Operators.resolve(symbol, types)
            }
        case .call(let name, let arguments): return try call(name, arguments, at: syntax.offset)
        }
    }

    private static func constant(_ literal: Syntax.Literal) -> Typed {
        switch literal {
        case .null: Typed(plan: .constant(.null, .bool), type: nil)
        case .bool(let value): Typed(plan: .constant(.bool(value), .bool), type: .bool)
        case .int(let value), .duration(let value): Typed(plan: .constant(.int(value), .int), type: .int)
        case .double(let value): Typed(plan: .constant(.double(value), .double), type: .double)
        case .string(let value): Typed(plan: .constant(.string(value), .string), type: .string)
        case .vocabulary(let vocabulary): Typed(plan: .constant(.string(vocabulary.name), .string), type: .string)
        }
    }

    private func apply(
        _ arguments: [Typed], _ syntax: [Syntax], name: String, at offset: Int,
        _ resolve: ([ValueType?], [Syntax.Literal?]) throws(ScalarFunction.Mismatch) -> ScalarFunction.Resolution
    ) throws(ExpressionError) -> Typed {
        do throws(ScalarFunction.Mismatch) {
            let resolution = try resolve(arguments.map(\.type), syntax.map(\.literal))
            let plans = zip(arguments, resolution.arguments).map { $0.plan.converted(from: $0.type, to: $1) }
            return Typed(plan: .call(resolution.kernel, plans), type: resolution.result)
        } catch {
            throw ExpressionError("\(name) \(error.message)", at: error.argument.map { syntax[$0].offset } ?? offset)
        }
    }

    // MARK: Calls

    private mutating func call(_ name: String, _ arguments: [Syntax], at offset: Int) throws(ExpressionError) -> Typed {
        if let function = ScalarFunction.all[name] {
            try Self.check(arguments.count, function.arity, function.usage, at: offset)
            var typed: [Typed] = []
            for argument in arguments { typed.append(try compile(argument)) }
            return try apply(typed, arguments, name: function.usage, at: offset, function.resolve)
        }
        if let function = SequenceFunction.all[name] {
            guard function.suffixes.count == 1 else {
                let names = function.suffixes.map { "NAME\($0)" }.joined(separator: ", ")
                throw ExpressionError("\(name) makes several columns (\(names)); give it a column of its own and use those", at: offset)
            }
            let (kernel, plan) = try sequence(function, arguments, at: offset)
            return Typed(plan: plan, type: kernel.outputs[0])
        }
        if let kind = AggregateCall.Kind(rawValue: name) { return try aggregate(kind, arguments, at: offset) }
        if name == "lead" { return try lead(arguments, at: offset) }
        throw ExpressionError(
            "unknown function \"\(name)\"" + SpellingSuggestion.hint(for: name, among: FunctionCatalogue.names), at: offset)
    }

    private static func check(_ count: Int, _ arity: ClosedRange<Int>, _ usage: String, at offset: Int) throws(ExpressionError) {
        guard !arity.contains(count) else { return }
        let wanted =
            arity.count == 1
            ? "\(arity.lowerBound)" : count < arity.lowerBound ? "at least \(arity.lowerBound)" : "at most \(arity.upperBound)"
        throw ExpressionError("\(usage) takes \(wanted) argument\(wanted.hasSuffix("1") ? "" : "s"), not \(count)", at: offset)
    }

    private mutating func sequence(
        _ function: SequenceFunction, _ arguments: [Syntax], at offset: Int
    ) throws(ExpressionError) -> (SequenceKernel, Plan) {
        guard place == .row else {
            let reason =
                place == .target || place == .leadArgument
                ? "the target is made of columns; add a column for it to the view"
                : "a window has no rows to look back on; use it in a view that reads this one"
            throw ExpressionError("\(function.name) works over the rows of a key: \(reason)", at: offset)
        }
        let count = function.inputs + function.parameters.count
        try Self.check(arguments.count, count...count, function.usage, at: offset)
        var typed: [Typed] = [], types: [ValueType] = []
        for argument in arguments.prefix(function.inputs) {
            let made = try compile(argument)
            guard let type = made.type else { throw ExpressionError("\(function.usage) of null is always null", at: argument.offset) }
            typed.append(made)
            types.append(type)
        }
        var constants: [Double] = []
        for (argument, parameter) in zip(arguments.dropFirst(function.inputs), function.parameters) {
            constants.append(try Self.constant(argument, parameter, function))
        }
        do throws(ScalarFunction.Mismatch) {
            let kernel = try function.bind(types, Constants(constants))
            let plans = zip(typed, kernel.arguments).map { $0.plan.converted(from: $0.type, to: $1) }
            let plan = Plan.sequence(kernel, stateSize, plans)
            stateSize.reals += kernel.size.reals
            stateSize.ints += kernel.size.ints
            stateSize.texts += kernel.size.texts
            return (kernel, plan)
        } catch {
            throw ExpressionError("\(function.usage) \(error.message)", at: error.argument.map { arguments[$0].offset } ?? offset)
        }
    }

    private static func constant(
        _ syntax: Syntax, _ parameter: Parameter, _ function: SequenceFunction
    ) throws(ExpressionError) -> Double {
        switch parameter {
        case .rows(let least):
            guard case .literal(.int(let value)) = syntax.form else {
                throw ExpressionError("\(function.usage) counts rows: a whole number is needed here, not \(syntax.text)", at: syntax.offset)
            }
            guard value >= least, value <= SequenceFunction.maxRows else {
                throw ExpressionError(
                    "\(function.usage) takes \(least) to \(SequenceFunction.maxRows) here, not \(value)", at: syntax.offset)
            }
            return Double(value)
        case .number(let range):
            let value: Double? =
                switch syntax.form {
                case .literal(.int(let value)): Double(value)
                case .literal(.double(let value)): value
                default: nil
                }
            guard let value else {
                throw ExpressionError("\(function.usage) needs a plain number here, not \(syntax.text)", at: syntax.offset)
            }
            guard range.contains(value) else {
                throw ExpressionError(
                    "\(function.usage) takes \(range.lowerBound) to \(range.upperBound) here, not \(syntax.text)", at: syntax.offset)
            }
            return value
        }
    }

    private mutating func aggregate(
        _ kind: AggregateCall.Kind, _ arguments: [Syntax], at offset: Int
    ) throws(ExpressionError) -> Typed {
        guard place == .window else {
            let hint = arguments.count < 2 ? "" : kind == .min ? "; use least(a, b)" : kind == .max ? "; use greatest(a, b)" : ""
            let reason = place == .aggregateArgument ? "and cannot stand inside another one" : "and needs a view with a window" + hint
            throw ExpressionError("\(kind.rawValue) is an aggregate \(reason)", at: offset)
        }
        try Self.check(arguments.count, kind.arity, kind.usage, at: offset)
        let parameter = arguments.count == 2 ? try Self.fraction(arguments[1], kind) : 0
        var call = AggregateCall(kind: kind, argument: nil, type: .int)
        if let argument = arguments.first {
            let outer = scope
            scope = inputs
            place = .aggregateArgument
            defer {
                scope = outer
                place = .window
            }
            let typed = try compile(argument)
            guard let type = typed.type else { throw ExpressionError("\(kind.usage) of null is always null", at: argument.offset) }
            do throws(ScalarFunction.Mismatch) {
                let result = try AggregateCall.resultType(kind, of: type)
                call = AggregateCall(
                    kind: kind, argument: self.argument(argument.text, typed.plan, type), parameter: parameter, type: result)
            } catch { throw ExpressionError("\(kind.usage) \(error.message)", at: argument.offset) }
        }
        let index = calls.firstIndex(of: call) ?? calls.count
        if index == calls.count { calls.append(call) }
        // Where the results stand is known once all calls are; until then they are numbered from -1 downwards.
        return Typed(plan: .column(-1 - index), type: call.type)
    }

    private static func fraction(_ syntax: Syntax, _ kind: AggregateCall.Kind) throws(ExpressionError) -> Double {
        switch syntax.literal {
        case .int(let value)? where value == 0 || value == 1: return Double(value)
        case .double(let value)? where value >= 0 && value <= 1: return value
        default: throw ExpressionError("\(kind.usage) needs a plain number from 0 to 1 here, not \(syntax.text)", at: syntax.offset)
        }
    }

    private mutating func argument(_ text: String, _ plan: Plan, _ type: ValueType) -> Int {
        if let known = callArguments.firstIndex(where: { $0.text == text }) { return known }
        callArguments.append((text, plan, type))
        return callArguments.count - 1
    }

    private mutating func lead(_ arguments: [Syntax], at offset: Int) throws(ExpressionError) -> Typed {
        guard place != .leadArgument else { throw ExpressionError("lead cannot stand inside another lead", at: offset) }
        guard place == .target else {
            throw ExpressionError("lead looks into the future and is legal only in training.target", at: offset)
        }
        try Self.check(arguments.count, 2...2, FunctionCatalogue.leadUsage, at: offset)
        guard case .literal(.duration(let ahead)) = arguments[1].form, ahead > 0 else {
            throw ExpressionError(
                "lead looks ahead by time: a duration such as 10m is needed here, not \(arguments[1].text)", at: arguments[1].offset)
        }
        place = .leadArgument
        defer { place = .target }
        let typed = try compile(arguments[0])
        guard let type = typed.type else { throw ExpressionError("lead of null is always null", at: arguments[0].offset) }
        let text = arguments[0].text
        let index = leads.firstIndex { $0.text == text && $0.ahead == ahead } ?? leads.count
        if index == leads.count { leads.append((text, typed.plan, type, ahead)) }
        return Typed(plan: .column(-1 - index), type: type)
    }
}
