/// Follows all states of a ``Pattern`` at once; made once and used for many texts.
package struct PatternSearch: Sendable {
    private let pattern: Pattern
    private var current: [Int] = []
    private var following: [Int] = []
    /// Per step, the number of the position at which it was last added.
    private var addedAt: [Int]
    private var position = 0
    private var pending: [Int] = []

    package init(_ pattern: Pattern) {
        self.pattern = pattern
        addedAt = [Int](repeating: 0, count: pattern.steps.count)
    }

    /// Whether the pattern is found anywhere in the text.
    package mutating func isFound(in text: String) -> Bool {
        current.removeAll(keepingCapacity: true)
        var before: UInt32?, scalars = text.unicodeScalars.makeIterator()
        var scalar = scalars.next()
        position += 1
        while true {
            // A match may begin at every position.
            if add(0, to: \.current, between: before, and: scalar?.value) { return true }
            guard let taken = scalar else { return false }
            scalar = scalars.next()
            position += 1
            following.removeAll(keepingCapacity: true)
            for step in current {
                guard case .take(let set) = pattern.steps[step], pattern.sets[set].contains(taken.value) else { continue }
                if add(step + 1, to: \.following, between: taken.value, and: scalar?.value) { return true }
            }
            swap(&current, &following)
            before = taken.value
        }
    }

    /// Adds a step and all that can be reached from it without taking a scalar.
    /// - Returns: Whether the match is among them.
    private mutating func add(
        _ first: Int, to states: WritableKeyPath<Self, [Int]>, between before: UInt32?, and after: UInt32?
    ) -> Bool {
        pending.append(first)
        while let step = pending.popLast() {
            guard addedAt[step] != position else { continue }
            addedAt[step] = position
            switch pattern.steps[step] {
            case .take: self[keyPath: states].append(step)
            case .jump(let target): pending.append(target)
            case .split(let one, let other):
                pending.append(other)
                pending.append(one)
            case .assert(let assertion): if Self.holds(assertion, before, after) { pending.append(step + 1) }
            case .match:
                pending.removeAll(keepingCapacity: true)
                return true
            }
        }
        return false
    }

    private static func holds(_ assertion: Pattern.Assertion, _ before: UInt32?, _ after: UInt32?) -> Bool {
        func isWord(_ scalar: UInt32?) -> Bool { scalar.map { value in ScalarSet.words.contains { $0.contains(value) } } ?? false }
        return switch assertion {
        case .start: before == nil
        case .end: after == nil
        case .wordBoundary: isWord(before) != isWord(after)
        case .noWordBoundary: isWord(before) == isWord(after)
        }
    }
}
