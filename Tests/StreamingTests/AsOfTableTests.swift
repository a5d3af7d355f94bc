import Domain
import Testing

@testable import Streaming

@Suite struct AsOfTableTests {
    private func table(_ rows: [(Int64, Int64)], within: Int64 = 100) -> AsOfTable {
        var table = AsOfTable(within: within)
        table.growKeys(to: 2)
        for (time, value) in rows { table.add(key: 0, availability: time, values: [.int(value)]) }
        return table
    }

    @Test(arguments: [(9, nil), (10, 1), (19, 1), (20, 3), (119, 3), (120, 3), (121, nil)] as [(Int64, Int64?)])
    func `the newest row that is known and not too old is taken`(time: Int64, expected: Int64?) {
        #expect(table([(10, 1), (20, 2), (20, 3)]).newest(key: 0, at: time) == expected.map { [.int($0)] })
    }

    @Test func `rows of another key do not count`() { #expect(table([(10, 1)]).newest(key: 1, at: 10) == nil) }

    @Test func `answers, saved anywhere, equal a search through all rows`() throws {
        var random = RandomSource(seed: 4)
        var table = AsOfTable(within: 500), all: [(time: Int64, value: Int64)] = [], newest: Int64 = 0
        table.growKeys(to: 1)
        for index in 0..<3_000 {
            newest += Int64(random.index(below: 60))
            let time = newest - Int64(random.index(below: 200))
            table.add(key: 0, availability: time, values: [.int(Int64(index))])
            all.append((time, Int64(index)))
            if random.index(below: 50) == 0 {
                var writer = BinaryWriter(), other = AsOfTable(within: 500)
                table.encodeKey(0, into: &writer)
                var reader = BinaryReader(writer.bytes)
                try other.decodeKey(0, width: 1, from: &reader)
                #expect(reader.isAtEnd)
                table = other
            }
            let asked = (all.map(\.time).max() ?? 0) - Int64(random.index(below: 500))
            let found = all.enumerated().filter { $0.element.time <= asked && asked - $0.element.time <= 500 }
                .max { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
            #expect(table.newest(key: 0, at: asked) == found.map { [.int($0.element.value)] })
        }
    }
}
