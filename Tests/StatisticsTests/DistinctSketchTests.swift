import Domain
import Testing

@testable import Statistics

@Suite struct DistinctSketchTests {
    /// The k-th value of many sequences, some of them chosen to fool a weak hash; all different for different k.
    private static let sequences: [(name: String, hash: @Sendable (Int) -> UInt64)] = [
        ("counting", { StableHash.hash(Int64($0)) }), ("downwards", { StableHash.hash(Int64(-$0)) }),
        ("multiples of 2^32", { StableHash.hash(Int64($0) << 32) }), ("multiples of a prime", { StableHash.hash(Int64($0) &* 1_000_003) }),
        ("reals", { StableHash.hash(Double($0) / 8) }), ("tiny reals", { StableHash.hash(Double(bitPattern: UInt64($0) + 1)) }),
        ("texts", { StableHash.hash("user-\($0)") }),
        ("long common prefixes", { StableHash.hash(String(repeating: "x", count: 40) + "\($0)") }),
        ("lengths", { StableHash.hash(String(repeating: "a", count: $0 % 300) + "\($0)") }),
    ]

    private static func sketch(_ values: some Sequence<UInt64>) -> DistinctSketch {
        var sketch = DistinctSketch()
        for value in values { sketch.add(hash: value) }
        return sketch
    }

    @Test func `few different values are counted exactly, however often they come`() {
        for (name, hash) in Self.sequences {
            var sketch = DistinctSketch()
            for round in 0..<3 {
                for index in 0..<DistinctSketch.exactCount {
                    sketch.add(hash: hash(index))
                    if round == 0 { #expect(sketch.count == index + 1, "\(name)") }
                }
            }
            #expect(sketch.isExact && sketch.count == DistinctSketch.exactCount, "\(name)")
        }
        #expect(DistinctSketch().count == 0)
    }

    @Test func `many are estimated within three standard errors, whatever the values`() {
        for (name, hash) in Self.sequences {
            var sketch = DistinctSketch(), next = DistinctSketch.exactCount + 1
            for index in 0..<30_000 {
                sketch.add(hash: hash(index))
                guard index + 1 == next else { continue }
                next = next * 5 / 4
                let error = (Double(sketch.count) / Double(index + 1) - 1).magnitude
                #expect(error <= 3 * DistinctSketch.standardError, "\(name) at \(index + 1)")
            }
        }
    }

    @Test func `the error over many independent sets is the stated one, without bias`() {
        for count in [1_000, 5_000] {
            var squares = 0.0, sum = 0.0
            for set in 0..<60 {
                let error =
                    Double(Self.sketch((0..<count).lazy.map { StableHash.hash(Int64(set * 1_000_000 + $0)) }).count) / Double(count) - 1
                sum += error
                squares += error * error
            }
            #expect((squares / 60).squareRoot() <= 1.25 * DistinctSketch.standardError)
            #expect((sum / 60).magnitude <= 0.5 * DistinctSketch.standardError)
        }
    }

    @Test func `neither order, repetition nor the way parts are merged changes a bit`() {
        var random = RandomSource(seed: 8)
        for count in [100, 512, 513, 4_000] {
            let values = (0..<count).map { StableHash.hash(Int64($0)) }, whole = Self.sketch(values)
            #expect(Self.sketch((values + values).shuffled(using: &random)) == whole)
            var parts = Array(repeating: DistinctSketch(), count: 9)
            for value in values { for _ in 0..<2 { parts[Int.random(in: 0..<9, using: &random)].add(hash: value) } }
            while parts.count > 1 {
                let other = parts.remove(at: Int.random(in: 0..<parts.count, using: &random))
                parts[Int.random(in: 0..<parts.count, using: &random)].merge(other)
            }
            #expect(parts[0] == whole)
        }
    }

    @Test func `what is written and read back goes on to the same bits, and damage is refused`() throws {
        let values = (0..<2_000).map { StableHash.hash(Int64($0)) }
        for cut in [0, 1, 512, 513, 2_000] {
            var writer = BinaryWriter()
            Self.sketch(values.prefix(cut)).encode(into: &writer)
            var reader = BinaryReader(writer.bytes)
            var restored = try DistinctSketch(from: &reader)
            #expect(reader.isAtEnd)
            for value in values.dropFirst(cut) { restored.add(hash: value) }
            #expect(restored == Self.sketch(values))
            for end in stride(from: 0, to: writer.bytes.count, by: 97) {
                var short = BinaryReader(Array(writer.bytes.prefix(end)))
                #expect(throws: BinaryReader.Damaged.self) { try DistinctSketch(from: &short) }
            }
        }
        for (hashes, registers) in [
            ([3, 2], []), ([], [1]), ([1], Array(repeating: 0, count: 4_096)), ([], Array(repeating: 54, count: 4_096)),
        ]
            as [([Int64], [UInt8])]
        {
            var writer = BinaryWriter()
            writer.write(count: hashes.count)
            for hash in hashes { writer.write(hash) }
            writer.write(registers)
            var reader = BinaryReader(writer.bytes)
            #expect(throws: BinaryReader.Damaged.self) { try DistinctSketch(from: &reader) }
        }
    }

    @Test(
        arguments: [(0, 0x726F_DB47_DD0E_0E31), (1, 0x74F8_39C5_93DC_67FD), (2, 0x0D6C_8009_D9A9_4F5A), (8, 0x93F5_F579_9A93_2462)]
            as [(Int, UInt64)])
    func `the hash meets its authors' test vectors`(length: Int, expected: UInt64) {
        let bytes = (0..<length).map(UInt8.init)
        #expect(bytes.withUnsafeBytes { StableHash.hash($0) } == expected)
    }

    @Test func `zero has one hash, and an int and a text hash by their bytes`() {
        #expect(StableHash.hash(0.0) == StableHash.hash(-0.0))
        #expect(StableHash.hash(Int64(0x0706_0504_0302_0100)) == 0x93F5_F579_9A93_2462)
        #expect(StableHash.hash("ab") != StableHash.hash("ba"))
    }
}
