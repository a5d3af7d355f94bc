package import Domain

/// Which rows train and which ones judge.
///
/// A row's label is only known `horizon` after the row. So a row may train for a block that starts at T only if its
/// label lies before T: the last `horizon` of training rows is purged before each validation and test block, or the
/// training would have seen the very prices it is judged on.
///
/// Source: M. López de Prado, "Advances in Financial Machine Learning", 2018, chapter 7.
package struct Split: Sendable, Equatable {
    package struct Part: Sendable, Equatable {
        /// Row positions, ascending.
        package let training: [Int]
        package let judging: [Int]
        /// Rows left out between the two.
        package let purged: Int
    }

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// A part would be empty.
        case tooFewRows(found: Int, needed: Int)

        package var description: String {
            switch self {
            case .tooFewRows(let found, let needed): "\(found) usable rows are too few to split, \(needed) are needed"
            }
        }
    }

    /// Everything before the test block, and the test block.
    package let test: Part
    /// Validation inside the training rows only.
    package let folds: [Part]

    /// - Parameters:
    ///   - times: Availability of each row, ascending.
    ///   - horizon: How far ahead the target lies, in the unit of `times`.
    ///   - seed: Of the shuffle of a random split.
    package init(
        times: [EventTime.Milliseconds], horizon: EventTime.Milliseconds, definition: TrainingDefinition.Split, seed: UInt64
    ) throws(Error) {
        let needed = 10 * (definition.folds + 2)
        guard times.count >= needed else { throw .tooFewRows(found: times.count, needed: needed) }
        switch definition.kind {
        case .time:
            let testStart = Self.boundary(times, near: times.count - Self.testCount(times.count, definition))
            test = Self.part(times, training: 0..<testStart, judging: testStart..<times.count, horizon)
            let known = test.training.count
            let edges = (0...definition.folds + 1).map { Self.boundary(times, near: known * $0 / (definition.folds + 1)) }
            folds = (1..<max(1, definition.folds + 1)).map {
                Self.part(times, training: 0..<edges[$0], judging: edges[$0]..<min(known, edges[$0 + 1]), horizon)
            }
        case .random:
            var random = RandomSource(seed: seed)
            let shuffled = Array(times.indices).shuffled(using: &random)
            let testCount = Self.testCount(times.count, definition)
            let known = shuffled.dropFirst(testCount)
            test = Part(training: known.sorted(), judging: shuffled.prefix(testCount).sorted(), purged: 0)
            folds = (0..<definition.folds).map { fold in
                let judging = known.enumerated().filter { $0.offset % definition.folds == fold }.map(\.element)
                let training = known.enumerated().filter { $0.offset % definition.folds != fold }.map(\.element)
                return Part(training: training.sorted(), judging: judging.sorted(), purged: 0)
            }
        }
        guard ([test] + folds).allSatisfy({ !$0.training.isEmpty && !$0.judging.isEmpty }) else {
            throw .tooFewRows(found: times.count, needed: needed)
        }
    }

    private static func testCount(_ count: Int, _ definition: TrainingDefinition.Split) -> Int {
        min(count, max(1, Int((Double(count) * definition.test).rounded())))
    }

    /// The first row of the moment that holds `index`: rows of one moment are never torn apart.
    private static func boundary(_ times: [EventTime.Milliseconds], near index: Int) -> Int {
        guard index > 0, index < times.count else { return min(max(index, 0), times.count) }
        var index = index
        while index > 0, times[index - 1] == times[index] { index -= 1 }
        return index
    }

    private static func part(
        _ times: [EventTime.Milliseconds], training: Range<Int>, judging: Range<Int>, _ horizon: EventTime.Milliseconds
    ) -> Part {
        guard let first = judging.first else { return Part(training: [], judging: [], purged: 0) }
        let kept = horizon == 0 ? Array(training) : training.filter { times[$0] + horizon < times[first] }
        return Part(training: kept, judging: Array(judging), purged: training.count - kept.count)
    }
}
