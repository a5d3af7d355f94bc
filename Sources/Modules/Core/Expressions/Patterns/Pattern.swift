/// A regular expression that is searched for in time proportional to the text, whatever the text holds: patterns come from the author
/// of a project, texts from strangers, and a stream must not stand still because of one of them.
///
/// The pattern becomes a nondeterministic automaton all of whose states are followed at once. Hence there are no back references and
/// no looking around. It works on Unicode scalars, so it finds the same on every platform.
///
/// Source: K. Thompson, "Regular Expression Search Algorithm", CACM 11(6), 1968, <https://doi.org/10.1145/363347.363387>.
package struct Pattern: Sendable {
    /// What is wrong with a pattern.
    package struct Error: Swift.Error, Equatable {
        package let message: String
        /// In Unicode scalars from the start of the pattern.
        package let offset: Int

        init(_ message: String, at offset: Int) {
            self.message = message
            self.offset = offset
        }
    }

    enum Assertion: Sendable { case start, end, wordBoundary, noWordBoundary }

    enum Step: Sendable {
        /// Takes one scalar of a set.
        case take(Int)
        /// Goes on at both places.
        case split(Int, Int)
        case jump(Int)
        case assert(Assertion)
        case match
    }

    /// Bounds the time per scalar.
    static let maxSteps = 5_000

    let steps: [Step]
    let sets: [ScalarSet]

    package init(_ text: String) throws(Error) {
        var parser = PatternParser(text)
        let tree = try parser.parseWhole()
        var builder = Builder(sets: parser.sets)
        try builder.add(tree)
        builder.steps.append(.match)
        steps = builder.steps
        sets = builder.sets
    }

    private struct Builder {
        var steps: [Step] = []
        let sets: [ScalarSet]

        mutating func add(_ node: PatternParser.Node) throws(Error) {
            guard steps.count < Pattern.maxSteps else { throw Error("the pattern is too large", at: 0) }
            switch node {
            case .empty: break
            case .set(let index): steps.append(.take(index))
            case .assertion(let assertion): steps.append(.assert(assertion))
            case .sequence(let nodes): for node in nodes { try add(node) }
            case .either(let nodes): try addEither(nodes[...])
            case .repeated(let node, let least, let most): try addRepeated(node, least, most)
            }
        }

        private mutating func addEither(_ nodes: ArraySlice<PatternParser.Node>) throws(Error) {
            guard let first = nodes.first else { return }
            guard nodes.count > 1 else { return try add(first) }
            let split = steps.count
            steps.append(.match)
            try add(first)
            let jump = steps.count
            steps.append(.match)
            steps[split] = .split(split + 1, steps.count)
            try addEither(nodes.dropFirst())
            steps[jump] = .jump(steps.count)
        }

        private mutating func addRepeated(_ node: PatternParser.Node, _ least: Int, _ most: Int?) throws(Error) {
            for _ in 0..<least { try add(node) }
            guard let most else {
                let split = steps.count
                steps.append(.match)
                try add(node)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
                return
            }
            var splits: [Int] = []
            for _ in least..<most {
                splits.append(steps.count)
                steps.append(.match)
                try add(node)
            }
            for split in splits { steps[split] = .split(split + 1, steps.count) }
        }
    }
}

/// A set of Unicode scalars.
struct ScalarSet: Sendable {
    private var ranges: [ClosedRange<UInt32>] = []
    private var isInverted = false
    /// Membership of the first 128 scalars.
    private var low: (UInt64, UInt64) = (0, 0)

    init(_ ranges: [ClosedRange<UInt32>], isInverted: Bool = false) {
        self.ranges = ranges
        self.isInverted = isInverted
        for scalar in 0..<UInt32(128) where ranges.contains(where: { $0.contains(scalar) }) != isInverted {
            if scalar < 64 { low.0 |= 1 << scalar } else { low.1 |= 1 << (scalar - 64) }
        }
    }

    @inline(__always)
    func contains(_ scalar: UInt32) -> Bool {
        if scalar < 64 { return low.0 >> scalar & 1 == 1 }
        if scalar < 128 { return low.1 >> (scalar - 64) & 1 == 1 }
        return ranges.contains { $0.contains(scalar) } != isInverted
    }

    static let digits: [ClosedRange<UInt32>] = [48...57]
    static let words: [ClosedRange<UInt32>] = [48...57, 65...90, 95...95, 97...122]
    static let spaces: [ClosedRange<UInt32>] = [
        9...13, 32...32, 0x85...0x85, 0xA0...0xA0, 0x2000...0x200A, 0x2028...0x2029, 0x3000...0x3000,
    ]

    /// Everything that is not in `ranges`.
    static func others(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var others: [ClosedRange<UInt32>] = [], next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { others.append(next...range.lowerBound - 1) }
            next = Swift.max(next, range.upperBound + 1)
        }
        if next <= 0x10FFFF { others.append(next...0x10FFFF) }
        return others
    }
}
