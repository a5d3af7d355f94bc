import Learning
import Testing

struct SplitTests {
    static func split(_ times: [Int64], horizon: Int64, test: Double = 0.2, folds: Int = 3, kind: TrainingDefinition.Split.Kind = .time)
        throws
        -> Split
    {
        try Split(times: times, horizon: horizon, definition: .init(kind: kind, test: test, folds: folds), seed: 7)
    }

    @Test func `the latest rows are the test and the last horizon before them is purged`() throws {
        let split = try Self.split(Array(0..<100), horizon: 10)
        #expect(split.test.judging == Array(80..<100))
        // Row 69's label is of moment 79; row 70's would be of moment 80, the first the test may know.
        #expect(split.test.training == Array(0..<70))
        #expect(split.test.purged == 10)
    }

    @Test(arguments: [(1, 1), (2, 2), (10, 10), (0, 0)] as [(Int64, Int)])
    func `the purged window is exactly the horizon`(horizon: Int64, purged: Int) throws {
        #expect(try Self.split(Array(0..<100), horizon: horizon).test.purged == purged)
    }

    @Test func `folds expand, lie inside the training rows and are purged too`() throws {
        let split = try Self.split(Array(0..<105), horizon: 4)
        #expect(split.test.judging.first == 84)
        #expect(split.folds.count == 3)
        #expect(split.folds.map(\.judging) == [Array(20..<40), Array(40..<60), Array(60..<80)])
        #expect(split.folds.map(\.training) == [Array(0..<16), Array(0..<36), Array(0..<56)])
        for fold in split.folds {
            #expect(fold.judging.allSatisfy { split.test.training.contains($0) })
        }
    }

    @Test func `rows of one moment are never torn apart`() throws {
        let times = (0..<120).map { Int64($0 / 3) }
        let split = try Self.split(times, horizon: 1, test: 0.21)
        for part in [split.test] + split.folds {
            let last = try #require(part.training.last)
            let first = try #require(part.judging.first)
            #expect(times[first] != times[first - 1])
            #expect(times[last] + 1 < times[first])
        }
    }

    @Test func `no label of a training row is known later than the block it trains for`() throws {
        let times = (0..<200).map { Int64($0 * $0 / 7) }
        let split = try Self.split(times, horizon: 333, folds: 2)
        for part in [split.test] + split.folds {
            let start = try #require(part.judging.map { times[$0] }.min())
            #expect(part.training.allSatisfy { times[$0] + 333 < start })
        }
    }

    @Test func `a random split repeats with its seed and covers every row once`() throws {
        let split = try Self.split(Array(0..<100), horizon: 0, kind: .random)
        #expect(try Self.split(Array(0..<100), horizon: 0, kind: .random) == split)
        #expect((split.test.training + split.test.judging).sorted() == Array(0..<100))
        #expect(split.test.judging != Array(80..<100))
        #expect(split.folds.flatMap(\.judging).sorted() == split.test.training)
    }

    @Test func `too few rows are refused`() {
        #expect(throws: Split.Error.tooFewRows(found: 49, needed: 50)) { try Self.split(Array(0..<49), horizon: 0) }
        // Fifty rows, but the horizon purges every row before the first fold.
        #expect(throws: Split.Error.tooFewRows(found: 50, needed: 50)) { try Self.split(Array(0..<50), horizon: 40) }
    }
}
