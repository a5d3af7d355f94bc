import Domain

/// An operator over the rows of one key, in order: what it takes, how much it remembers, and what it does.
///
/// A null input gives null and leaves the memory alone; every other rule is the operator's own. A value depends only on
/// the key's rows so far, never on how they were cut into batches.
struct SequenceFunction: Sendable {
    let name: String
    /// How to call it: `sma(x, n)`.
    let usage: String
    let summary: String
    /// How many leading arguments vary by row; the others are constants.
    let inputs: Int
    /// What the constants are.
    let parameters: [Parameter]
    /// Added to the column's name for each output; more than one makes several columns.
    let suffixes: [String]
    let bind: @Sendable (_ types: [ValueType], _ parameters: Constants) throws(ScalarFunction.Mismatch) -> SequenceKernel

    init(
        _ usage: String, _ summary: String, inputs: Int = 1, parameters: [Parameter], suffixes: [String] = [""],
        bind: @escaping @Sendable (_ types: [ValueType], _ parameters: Constants) throws(ScalarFunction.Mismatch) -> SequenceKernel
    ) {
        name = String(usage.prefix { $0 != "(" })
        self.usage = usage
        self.summary = summary
        self.inputs = inputs
        self.parameters = parameters
        self.suffixes = suffixes
        self.bind = bind
    }

    /// Longest memory an operator may ask for, rows; it is held for every key.
    static let maxRows = 100_000

    /// The whole library; a family adds an operator by adding an entry to its table.
    static let all: [String: SequenceFunction] = {
        let families = [windows, averages, deviations, momentum, ranges, oscillators, volume]
        return Dictionary(families.joined().map { ($0.name, $0) }) { first, _ in first }
    }()

    /// An operator over numbers: every varying argument widens to double.
    static func real(
        _ usage: String, _ summary: String, inputs: Int = 1, parameters: [Parameter], suffixes: [String] = [""],
        make: @escaping @Sendable (_ parameters: Constants) throws(ScalarFunction.Mismatch) -> SequenceKernel
    ) -> SequenceFunction {
        SequenceFunction(usage, summary, inputs: inputs, parameters: parameters, suffixes: suffixes) {
            types, parameters throws(ScalarFunction.Mismatch) in
            for (index, type) in types.enumerated() { try ScalarFunction.requireNumber(type, argument: index) }
            return try make(parameters)
        }
    }
}

/// A constant argument of an operator.
enum Parameter: Sendable {
    /// A number of rows, at least `from`, at most ``SequenceFunction/maxRows``.
    case rows(from: Int)
    /// A number within bounds.
    case number(ClosedRange<Double>)
}

/// The constants of one call, in the order of its parameters.
struct Constants: Sendable {
    private let values: [Double]

    init(_ values: [Double]) { self.values = values }

    /// A number of rows.
    subscript(index: Int) -> Int { Int(values[index]) }

    func number(_ index: Int) -> Double { values[index] }
}

/// An operator with its parameters: sizes of its memory per key and the loop over rows.
struct SequenceKernel: Sendable {
    typealias Run =
        @Sendable (
            _ inputs: [Vector], _ keyOfRow: [Int], _ states: inout [RowProgram.State], _ place: StatePlace, _ overflows: inout Int
        ) -> [Vector]

    /// The types the loop wants; the compiler widens ints accordingly.
    let arguments: [ValueType]
    let outputs: [ValueType]
    let size: StatePlace
    /// How many rows without nulls come before the first value.
    let warmUp: Int
    let run: Run
}

/// A share of a key's state: where it begins in each of the three stores, or how much of each it takes.
struct StatePlace: Sendable {
    var reals = 0
    var ints = 0
    var texts = 0
}

/// What an operator remembers of one key; all zero at the start.
struct OperatorMemory {
    let reals: UnsafeMutablePointer<Double>
    let ints: UnsafeMutablePointer<Int64>

    /// How many values came before, for operators that keep that number in `ints[0]`; never negative, whatever the bytes
    /// it was restored from say.
    var seen: Int64 {
        get { Swift.max(0, ints[0]) }
        nonmutating set { ints[0] = newValue }
    }

    /// The memory of an operator inside this one, which begins that far on.
    @inline(__always)
    func part(reals: Int, ints: Int) -> OperatorMemory { OperatorMemory(reals: self.reals + reals, ints: self.ints + ints) }
}

// MARK: - Operators of doubles

/// An operator whose inputs and outputs are doubles.
protocol RealOperator: Sendable {
    var inputs: Int { get }
    var outputs: Int { get }
    /// Doubles and ints remembered per key.
    var reals: Int { get }
    var ints: Int { get }
    /// How many rows without nulls come before the first value; the same for all outputs.
    var warmUp: Int { get }
    /// Takes one row. Outputs are NaN when called; those left so, or not finite, are null.
    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory)
}

extension RealOperator {
    var inputs: Int { 1 }
    var outputs: Int { 1 }
    var ints: Int { 1 }

    var kernel: SequenceKernel {
        SequenceKernel(
            arguments: Array(repeating: .double, count: inputs), outputs: Array(repeating: .double, count: outputs),
            size: StatePlace(reals: reals, ints: ints), warmUp: warmUp
        ) { inputs, keyOfRow, states, place, _ in
            self.run(inputs, keyOfRow, &states, place)
        }
    }

    private func run(
        _ inputs: [Vector], _ keyOfRow: [Int], _ states: inout [RowProgram.State], _ place: StatePlace
    ) -> [Vector] {
        let nulls = Vector.anyNull(inputs), columns = inputs.map(\.doubles)
        var results = Array(repeating: [Double](repeating: .nan, count: keyOfRow.count), count: outputs)
        withUnsafeTemporaryAllocation(of: Double.self, capacity: columns.count + outputs) { cells in
            guard let input = cells.baseAddress else { return }
            let output = input + columns.count
            for row in keyOfRow.indices {
                if let nulls, nulls[row] { continue }
                for index in columns.indices { input[index] = columns[index][row] }
                for index in 0..<outputs { output[index] = .nan }
                states[keyOfRow[row]].withMemory(at: place) { step(input, output, $0) }
                for index in 0..<outputs { results[index][row] = output[index] }
            }
        }
        return results.map { Vector(doubles: $0, nulls: nil) }
    }
}

// MARK: - Operators of ints

/// An operator of one int (or time, or bool as 0 and 1) whose output has the type of its input.
protocol IntOperator: Sendable {
    /// Ints remembered per key.
    var ints: Int { get }
    /// How many rows without nulls come before the first value.
    var warmUp: Int { get }
    /// Takes one row; `nil` is null.
    func step(_ input: Int64, _ memory: OperatorMemory, overflowed: inout Bool) -> Int64?
}

extension IntOperator {
    /// - Parameter type: `int`, `time` or `bool`.
    func kernel(_ type: ValueType) -> SequenceKernel {
        SequenceKernel(arguments: [type], outputs: [type], size: StatePlace(ints: ints), warmUp: warmUp) {
            inputs, keyOfRow, states, place, overflows in
            let nulls = inputs[0].nulls
            let values = type == .bool ? inputs[0].bools.map { $0 ? 1 : 0 } : inputs[0].ints
            var results = [Int64](repeating: 0, count: keyOfRow.count)
            var mask = [Bool](repeating: true, count: keyOfRow.count)
            for row in keyOfRow.indices {
                if let nulls, nulls[row] { continue }
                var overflowed = false
                var result: Int64?
                states[keyOfRow[row]].withMemory(at: place) { result = step(values[row], $0, overflowed: &overflowed) }
                if overflowed { overflows += 1 }
                guard let result else { continue }
                results[row] = result
                mask[row] = false
            }
            let resulting = mask.contains(true) ? mask : nil
            return switch type {
            case .bool: [Vector(bools: results.map { $0 != 0 }, nulls: resulting)]
            case .time: [Vector(times: results, nulls: resulting)]
            default: [Vector(ints: results, nulls: resulting)]
            }
        }
    }
}
