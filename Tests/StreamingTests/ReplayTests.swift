import Domain
import Expressions
import Table
import Testing

@testable import Streaming

/// The same happenings give the same windows however they are cut, interrupted or interleaved.
@Suite struct ReplayTests {
    private func happenings(seed: UInt64, count: Int = 3_000) -> [Happening] {
        var random = RandomSource(seed: seed)
        var clocks = [Int64](repeating: 0, count: 7)
        return (0..<count).map { _ in
            let key = random.index(below: clocks.count)
            clocks[key] += Int64(random.index(below: random.index(below: 20) == 0 ? 20_000 : 400))
            let jitter = Int64(random.index(below: 3_000))
            let kind: Happening.Kind = random.index(below: 25) == 0 ? .idle : .event
            let value = random.index(below: 9) == 0 ? nil : random.uniform()
            return Happening(kind: kind, key: key, time: clocks[key] - (kind == .idle ? 0 : jitter), value: value)
        } + (0..<clocks.count).map { Happening(kind: .end, key: $0, time: clocks[$0]) }
    }

    private func aggregation() throws -> WindowedAggregation {
        WindowedAggregation(
            shape: try WindowShape(length: 1_000, grace: 700, gaps: .forward, maxGap: 9_000), calls: candle, argumentTypes: [.double])
    }

    @Test(arguments: [1, 2, 7, 64, 1_000])
    func `where batches are cut changes nothing`(size: Int) throws {
        let happenings = happenings(seed: 42)
        var whole = try aggregation(), cut = try aggregation()
        let expected = run(happenings, &whole), found = run(happenings, &cut, batches: size)
        #expect(expected.rows.count > 500)
        #expect(found.rows == expected.rows)
        #expect(found.late.map(\.index) == expected.late.map(\.index))
    }

    @Test(arguments: [1, 500, 1_499, 2_999])
    func `state saved and restored anywhere changes nothing`(at cut: Int) throws {
        let happenings = happenings(seed: 7)
        var whole = try aggregation()
        let expected = run(happenings, &whole)

        var first = try aggregation(), second = try aggregation()
        let before = run(Array(happenings[..<cut]), &first)
        first.growKeys(to: 7)
        for key in (0..<7).reversed() {
            var writer = BinaryWriter()
            first.encodeKey(key, into: &writer)
            var reader = BinaryReader(writer.bytes)
            try second.decodeKey(key, from: &reader)
            #expect(reader.isAtEnd)
        }
        let after = run(Array(happenings[cut...]), &second, from: cut)
        #expect(before.rows + after.rows == expected.rows)
    }

    @Test func `a key's rows depend on that key alone`() throws {
        let happenings = happenings(seed: 3)
        var together = try aggregation()
        let all = run(happenings, &together).rows
        for key in 0..<7 {
            var alone = try aggregation()
            var own = happenings
            own.removeAll { $0.key != key }
            // Offsets differ between the two runs, but their order does not.
            #expect(run(own, &alone).rows == all.filter { $0.key == key })
        }
    }

    @Test func `windows equal a brute-force recount of the accepted events`() throws {
        let happenings = happenings(seed: 5)
        var windows = try aggregation()
        let (rows, late) = run(happenings, &windows)
        let lateSet = Set(late.map(\.index))
        var groups: [String: [Double?]] = [:]
        for (index, happening) in happenings.enumerated() where happening.kind == .event && !lateSet.contains(index) {
            groups["\(happening.key)@\(happening.time.flooredQuotient(by: 1_000) * 1_000)", default: []].append(happening.value)
        }
        let real = rows.filter { !$0.synthetic }
        #expect(real.count == groups.count)
        for row in real {
            let values = try #require(groups["\(row.key)@\(row.start)"])
            let present = values.compactMap { $0 }
            #expect(row.cells[6] == .int(Int64(values.count)))
            #expect(row.cells[1] == present.max().map(Value.double) ?? .null)
            #expect(row.cells[2] == present.min().map(Value.double) ?? .null)
            #expect(row.cells[4] == (present.isEmpty ? .null : .double(present.reduce(0, +))))
        }
    }
}
