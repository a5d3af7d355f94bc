import Learning
import Testing

struct ParzenSearchTests {
    static let ranges: [TrainingDefinition.ParameterRange] = [
        .init(name: "depth", scale: .int, lower: 2, upper: 10), .init(name: "eta", scale: .log, lower: 0.01, upper: 0.5),
        .init(name: "fixed", scale: .linear, lower: 3, upper: 3),
    ]

    @Test func `proposals stay in range, integers whole, equal bounds fixed`() {
        var search = ParzenSearch(ranges: Self.ranges, seed: 1)
        for trial in 0..<200 {
            let values = search.propose()
            #expect((2...10).contains(values[0]) && values[0] == values[0].rounded())
            #expect((0.01...0.5).contains(values[1]))
            #expect(values[2] == 3)
            search.record(values, score: Double(trial % 7))
        }
        let first = (0..<100).map { seed in
            var search = ParzenSearch(ranges: Self.ranges, seed: UInt64(seed))
            return search.propose()[0]
        }
        #expect(Set(first).count == 9)
    }

    @Test func `the same seed and scores give the same proposals`() {
        func run(_ seed: UInt64) -> [[Double]] {
            var search = ParzenSearch(ranges: Self.ranges, seed: seed)
            return (0..<20).map { _ in
                let values = search.propose()
                search.record(values, score: (values[1] - 0.1).magnitude)
                return values
            }
        }
        #expect(run(3) == run(3))
        #expect(run(3) != run(4))
    }

    @Test func `scores draw later proposals towards the optimum`() {
        var distances: [Double] = []
        for seed in 0..<10 {
            var search = ParzenSearch(ranges: [.init(name: "x", scale: .linear, lower: 0, upper: 100)], seed: UInt64(seed))
            var values: [Double] = []
            for _ in 0..<40 {
                let value = search.propose()
                values.append(value[0])
                search.record(value, score: (value[0] - 73) * (value[0] - 73))
            }
            distances.append(values.suffix(15).map { ($0 - 73).magnitude }.reduce(0, +) / 15)
        }
        // Blind draws lie about 30 away on average.
        #expect(distances.reduce(0, +) / 10 < 15)
    }

    @Test func `a failed setting does not stop the search`() {
        var search = ParzenSearch(ranges: Self.ranges, seed: 1)
        for _ in 0..<12 { search.record(search.propose(), score: .nan) }
        #expect((2...10).contains(search.propose()[0]))
    }
}
