import Domain
import Project
import Table
import Testing

@testable import MonitorRole

@Suite struct ColumnDriftTests {
    private func normal(_ count: Int, shift: Double = 0, seed: UInt64) -> [Double] {
        var random = RandomSource(seed: seed)
        return (0..<count).map { _ in (0..<12).reduce(-6.0 + shift) { sum, _ in sum + random.uniform() } }
    }

    private func sample(_ numbers: [Double]) -> DriftReference.Sample { .init(numbers.map { .finite($0) }) }

    private func method(_ drift: ColumnDrift) -> ColumnDrift.Method? {
        if case .score(_, let method, _) = drift.verdict { method } else { nil }
    }

    @Test(arguments: [(999, .ks), (1_000, .ks), (1_001, .wasserstein)] as [(Int, ColumnDrift.Method)])
    func `the size of the reference decides between test and distance`(rows: Int, expected: ColumnDrift.Method) {
        let drift = ColumnDrift("x", reference: sample(normal(rows, seed: 1)), current: sample(normal(300, seed: 2)), method: .auto)
        #expect(method(drift) == expected)
        #expect(!drift.isDrifted)
    }

    @Test(arguments: [(5, .psi), (6, .ks)] as [(Int, ColumnDrift.Method)])
    func `a column of few values is compared value by value`(distinct: Int, expected: ColumnDrift.Method) {
        let values = (0..<200).map { Double($0 % distinct) }
        #expect(method(ColumnDrift("x", reference: sample(values), current: sample(values), method: .auto)) == expected)
    }

    @Test(arguments: [(MonitoringDefinition.Drift.Method.ks, ColumnDrift.Method.ks), (.psi, .psi)])
    func `the project may ask for one method`(wanted: MonitoringDefinition.Drift.Method, expected: ColumnDrift.Method) {
        let drift = ColumnDrift("x", reference: sample(normal(2_000, seed: 1)), current: sample(normal(500, seed: 2)), method: wanted)
        #expect(method(drift) == expected)
    }

    @Test(arguments: [0, 0.02, 0.5, 6], [1, 0.0005, 1e-9])
    func `a column in small units is judged as it would be in large ones`(shift: Double, unit: Double) throws {
        let before = normal(2_000, seed: 1), after = normal(900, shift: shift, seed: 2)
        let large = ColumnDrift("x", reference: sample(before), current: sample(after), method: .auto)
        let drift = ColumnDrift("x", reference: sample(before.map { $0 * unit }), current: sample(after.map { $0 * unit }), method: .auto)
        #expect(method(drift) == (unit == 1 ? .wasserstein : .wassersteinByDeviation))
        #expect(drift.isDrifted == large.isDrifted)
        guard case .score(let score, _, _) = drift.verdict, case .score(let expected, _, _) = large.verdict else {
            return #expect(Bool(false), "\(drift.verdict)")
        }
        #expect((score / expected - 1).magnitude < 1e-6)
    }

    @Test func `a column that was constant in training has drifted when it holds other values`() {
        let constant = sample([Double](repeating: 0.0002, count: 2_000))
        let moved = ColumnDrift("x", reference: constant, current: sample((0..<300).map { 0.0002 + Double($0) * 1e-9 }), method: .auto)
        #expect(method(moved) == .psi && moved.isDrifted)
        #expect(!ColumnDrift("x", reference: constant, current: constant, method: .auto).isDrifted)
    }

    @Test(arguments: [500, 2_000])
    func `a shift is drift, whatever the method`(rows: Int) {
        let reference = sample(normal(rows, seed: 1)), moved = sample(normal(500, shift: 1, seed: 2))
        #expect(ColumnDrift("x", reference: reference, current: moved, method: .auto).isDrifted)
        #expect(ColumnDrift("x", reference: reference, current: moved, method: .psi).isDrifted)
    }

    @Test func `a threshold itself is drift: p at most 0.05, distance at least 0.1`() {
        #expect(ColumnDrift.Method.ks.isDrift(0.05) && !ColumnDrift.Method.ks.isDrift(0.050001))
        #expect(ColumnDrift.Method.psi.isDrift(0.1) && !ColumnDrift.Method.psi.isDrift(0.0999))
        #expect(ColumnDrift.Method.wasserstein.isDrift(0.1) && !ColumnDrift.Method.wasserstein.isDrift(0.0999))
    }

    @Test func `text is compared as categories`() {
        let before = DriftReference.Sample((0..<100).map { .string($0 % 2 == 0 ? "a" : "b") })
        let after = DriftReference.Sample((0..<100).map { _ in .string("b") })
        #expect(!ColumnDrift("x", reference: before, current: before, method: .auto).isDrifted)
        #expect(ColumnDrift("x", reference: before, current: after, method: .auto).isDrifted)
    }

    @Test func `an emptied column, an unknown one and one of another kind are error rows, and the others are judged`() throws {
        let numbers = normal(300, seed: 3)
        let reference = DriftReference(
            try .init([
                .init("good", doubles: numbers), .init("empty", doubles: numbers), .init("text", doubles: numbers),
            ]))
        let verdict = try #require(
            DriftVerdict(
                ["good", "empty", "text", "unknown"], reference: reference,
                current: { name in
                    switch name {
                    case "empty": .init(numbers.map { _ in .null })
                    case "text": .init(numbers.map { _ in .string("x") })
                    default: .init(numbers.map { .double($0 + 2) })
                    }
                }, rows: 300, minRows: 100, rule: .init(method: .auto, share: 0.5)))
        #expect(verdict.columns.map(\.isDrifted) == [true, false, false, false])
        #expect(verdict.columns.dropFirst().allSatisfy { if case .failed = $0.verdict { true } else { false } })
        #expect(verdict.share == 1)
        #expect(verdict.isDrifted)
    }

    @Test(arguments: [(0.49, false), (0.5, true), (0.51, true)])
    func `the data has drifted from the declared share on`(share: Double, expected: Bool) {
        func column(_ score: Double) -> ColumnDrift {
            ColumnDrift(
                "x", reference: sample([0, 1, 2, 3, 4, 5, 6]),
                current: sample(score > 0 ? [90, 91, 92, 93, 94, 95, 96] : [0, 1, 2, 3, 4, 5, 6]), method: .ks)
        }
        let drifted = Int((share * 100).rounded())
        let columns = (0..<100).map { column($0 < drifted ? 1 : 0) }
        let verdict = DriftVerdict(columns: columns, rows: 7, threshold: 0.5)
        #expect(verdict.share == share)
        #expect(verdict.isDrifted == expected)
    }

    @Test(arguments: [(0, nil), (99, nil), (100, true)] as [(Int, Bool?)])
    func `too few rows give no verdict`(rows: Int, expected: Bool?) throws {
        let reference = DriftReference(try .init([.init("x", doubles: normal(500, seed: 1))]))
        let verdict = DriftVerdict(
            ["x"], reference: reference, current: { _ in sample(normal(rows, shift: 3, seed: 2)) }, rows: rows, minRows: 100,
            rule: .init(method: .auto, share: 0.5))
        #expect(verdict?.isDrifted == expected)
    }

    @Test(arguments: [(50, false), (51, true)])
    func `a rise of missing values is told apart from drift`(missing: Int, rose: Bool) {
        let numbers = normal(1_000, seed: 4)
        let current = DriftReference.Sample(numbers.enumerated().map { $0 < missing ? .null : .double($1) })
        let drift = ColumnDrift("x", reference: sample(numbers), current: current, method: .auto)
        #expect(drift.missingRose == rose)
        #expect(!drift.isDrifted)
    }
}
