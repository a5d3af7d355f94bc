import Domain
import Testing

@testable import FeatureStore

@Suite struct RowTableTests {
    @Test func `rows are found by key through growth, replacement and removal, as in a dictionary`() {
        var table = RowTable(), expected: [Int64: Int64] = [:]
        var random = RandomSource(seed: 3)
        for step in 0..<20_000 {
            let number = Int64(random.next() % 500), key = Array("k\(number)".utf8)
            if random.next() % 3 == 0 {
                table.remove(key)
                expected[number] = nil
            } else {
                table.set(key, to: OnlineRow([.int(number)], availability: Int64(step)))
                expected[number] = Int64(step)
            }
        }
        #expect(table.count == expected.count)
        for number in 0..<Int64(500) {
            let row = Array("k\(number)".utf8).withUnsafeBytes { table[$0] }
            #expect(row?.availability == expected[number])
            #expect(row.map { String(decoding: $0.cell(0), as: UTF8.self) } == (row == nil ? nil : "\(number)"))
        }
        #expect([UInt8]().withUnsafeBytes { table[$0] } == nil)
    }
}
