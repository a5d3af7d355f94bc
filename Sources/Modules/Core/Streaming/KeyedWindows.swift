package import Domain
package import Expressions
package import Table

/// Windows of one kind over keyed events, as a state machine.
///
/// The rows of a key and the lateness of its events depend only on the key's own steps, unless windows close by
/// partition; they never depend on how steps are cut into batches, nor on where state was saved and restored.
package protocol KeyedWindows: Sendable {
    /// Integer sums that left 64 bits and became null.
    var overflows: Int { get }

    /// Makes room for keys `0 ..< count`.
    mutating func growKeys(to count: Int)

    /// Takes a batch of steps, in log order.
    /// - Parameter arguments: One column per argument; a step's row indexes them.
    mutating func process(_ steps: [WindowStep], arguments: [Column]) -> WindowRows

    /// The whole state of a key, exact to the bit.
    func encodeKey(_ key: Int, into writer: inout BinaryWriter)

    /// Puts back what ``encodeKey(_:into:)`` wrote.
    mutating func decodeKey(_ key: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged)

    /// What all keys share; `nil` for windows whose keys share nothing.
    func encodeShared() -> [UInt8]?

    /// Puts back what ``encodeShared()`` gave, before or after the keys.
    mutating func decodeShared(_ bytes: [UInt8]) throws(BinaryReader.Damaged)
}

extension KeyedWindows {
    package func encodeShared() -> [UInt8]? { nil }
    package mutating func decodeShared(_ bytes: [UInt8]) throws(BinaryReader.Damaged) {}
}

extension WindowRule {
    /// - Parameters:
    ///   - emitsCurrent: Whether every accepted event also gives a row of the windows it changed.
    ///   - calls: The aggregates, in result order.
    ///   - argumentTypes: Types of the columns that ``AggregateCall/argument`` indexes.
    package func windows(emitsCurrent: Bool, calls: [AggregateCall], argumentTypes: [ValueType]) -> any KeyedWindows {
        switch self {
        case .aligned(let shape):
            WindowedAggregation(shape: shape, emitsCurrent: emitsCurrent, calls: calls, argumentTypes: argumentTypes)
        case .sliding(let length, let grace):
            SlidingWindows(length: length, grace: grace, emitsCurrent: emitsCurrent, calls: calls, argumentTypes: argumentTypes)
        case .session(let gap, let grace):
            SessionWindows(gap: gap, grace: grace, emitsCurrent: emitsCurrent, calls: calls, argumentTypes: argumentTypes)
        case .count(let count, let step):
            CountWindows(count: count, step: step, emitsCurrent: emitsCurrent, calls: calls, argumentTypes: argumentTypes)
        }
    }
}
