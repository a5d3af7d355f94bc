import Domain
import Table

/// A type-checked expression, ready to be evaluated column at a time.
indirect enum Plan: Sendable {
    /// A vector of the frame.
    case column(Int)
    case constant(Value, ValueType)
    /// Ints as doubles.
    case widened(Plan)
    case call(Kernel, [Plan])
    case sequence(SequenceKernel, StatePlace, [Plan])
}

/// What an evaluation reads: the rows' vectors, their keys, the keys' states.
struct Frame {
    /// By the indices the plans hold; what no plan uses may be missing.
    var vectors: [Vector?]
    let rowCount: Int
    let keyOfRow: [Int]
    var counts = EvaluationCounts()

    func vector(_ index: Int) -> Vector { vectors[index] ?? Vector(.double(Array(repeating: 0, count: rowCount)), nulls: nil) }
}

extension Plan {
    /// The one vector of an expression; of an operator with several outputs, the first.
    func evaluate(_ frame: inout Frame, _ states: inout [RowProgram.State]) -> Vector {
        switch self {
        case .column(let index): return frame.vector(index)
        case .constant(let value, let type): return Vector(repeating: value, type, count: frame.rowCount)
        case .widened(let plan):
            let inner = plan.evaluate(&frame, &states)
            return Vector(.double(inner.ints.map(Double.init)), nulls: inner.nulls)
        case .call(let kernel, let arguments):
            var vectors: [Vector] = []
            for argument in arguments { vectors.append(argument.evaluate(&frame, &states)) }
            return kernel(vectors, frame.rowCount, &frame.counts)
        case .sequence: return evaluateAll(&frame, &states)[0]
        }
    }

    func evaluateAll(_ frame: inout Frame, _ states: inout [RowProgram.State]) -> [Vector] {
        guard case .sequence(let kernel, let place, let arguments) = self else { return [evaluate(&frame, &states)] }
        var vectors: [Vector] = []
        for argument in arguments { vectors.append(argument.evaluate(&frame, &states)) }
        return kernel.run(vectors, frame.keyOfRow, &states, place, &frame.counts.overflows)
    }

    /// Evaluates where there is no state.
    func evaluate(_ frame: inout Frame) -> Vector {
        var none: [RowProgram.State] = []
        return evaluate(&frame, &none)
    }

    /// As `type`, when that is what it is or it can be widened to it.
    func converted(from: ValueType?, to type: ValueType) -> Plan {
        switch (from, type) {
        case (nil, _): return .constant(.null, type)
        case (.int, .double):
            if case .constant(.int(let value), _) = self { return .constant(.double(Double(value)), .double) }
            return .widened(self)
        default: return self
        }
    }

    var outputCount: Int { if case .sequence(let kernel, _, _) = self { kernel.outputs.count } else { 1 } }

    /// How many rows come before the first value.
    /// - Parameter known: The same of the frame's vectors.
    func warmUp(_ known: [Int]) -> Int {
        switch self {
        case .column(let index): known.indices.contains(index) ? known[index] : 0
        case .constant: 0
        case .widened(let plan): plan.warmUp(known)
        case .call(_, let arguments): arguments.map { $0.warmUp(known) }.max() ?? 0
        case .sequence(let kernel, _, let arguments): kernel.warmUp + (arguments.map { $0.warmUp(known) }.max() ?? 0)
        }
    }

    func collectColumns(_ found: inout Set<Int>) {
        switch self {
        case .column(let index): found.insert(index)
        case .constant: break
        case .widened(let plan): plan.collectColumns(&found)
        case .call(_, let arguments), .sequence(_, _, let arguments): for argument in arguments { argument.collectColumns(&found) }
        }
    }
}
