import Domain
import Testing

@testable import Statistics

@Suite struct QuantileSketchTests {
    private static let fractions = [0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1]

    /// Inputs of many shapes, some made to be hard.
    private static func inputs(_ count: Int) -> [(name: String, values: [Double])] {
        var random = RandomSource(seed: 17)
        func draw(_ make: (inout RandomSource) -> Double) -> [Double] { (0..<count).map { _ in make(&random) } }
        func uniform(_ random: inout RandomSource) -> Double { Double.random(in: 0..<1, using: &random) }
        return [
            ("prices", draw { 30_000 + 500 * uniform(&$0) }), ("uniform", draw { uniform(&$0) }),
            ("signed", draw { uniform(&$0) - 0.5 }), ("ascending", (0..<count).map(Double.init)),
            ("descending", (0..<count).map { Double(count - $0) }), ("equal", Array(repeating: 0.1, count: count)),
            ("two values", (0..<count).map { $0 % 2 == 0 ? -1e9 : 1e-9 }), ("zeros", (0..<count).map { $0 % 10 == 0 ? 1 : 0 }),
            ("heavy tail", draw { 1 / (1e-6 + uniform(&$0)) }),
            (
                "every magnitude",
                draw { Double(sign: .plus, exponent: Int.random(in: -300...300, using: &$0), significand: 1 + uniform(&$0)) }
            ),
            ("zigzag", (0..<count).map { Double(($0 * 7_919) % count) * ($0 % 2 == 0 ? 1 : -1) }),
            ("bucket edges", (0..<count).map { Double(sign: .plus, exponent: $0 % 8, significand: 1 + Double($0 / 8 % 128) / 128) }),
        ]
    }

    private static func sketch(_ values: [Double]) -> QuantileSketch {
        var sketch = QuantileSketch()
        for value in values { sketch.add(value) }
        return sketch
    }

    @Test func `few numbers give the quantiles of the numbers themselves`() throws {
        for (name, values) in Self.inputs(QuantileSketch.exactCount) {
            let sketch = Self.sketch(values)
            #expect(sketch.isExact && sketch.relativeError == 0)
            for fraction in Self.fractions { #expect(sketch.quantile(fraction) == Quantile.linear(fraction, of: values), "\(name)") }
        }
        #expect(QuantileSketch().quantile(0.5) == nil)
    }

    @Test func `many numbers give quantiles within the stated error, whatever the numbers`() throws {
        for (name, values) in Self.inputs(6_000) {
            let sketch = Self.sketch(values), sorted = values.sorted()
            #expect(!sketch.isExact && sketch.count == values.count)
            var worst = 0.0
            for rank in stride(from: 0, to: sorted.count, by: 41) {
                // A fraction that falls on one number asks for that number.
                let found = try #require(sketch.quantile(Double(rank) / Double(sorted.count - 1)))
                let low = sorted[Swift.max(0, rank - 1)], high = sorted[Swift.min(sorted.count - 1, rank + 1)]
                let allowed = { (value: Double) in sketch.relativeError * value.magnitude * (1 + 1e-12) }
                #expect(found >= low - allowed(low) && found <= high + allowed(high), "\(name) at \(rank)")
                if sorted[rank] != 0 { worst = Swift.max(worst, (found - sorted[rank]).magnitude / sorted[rank].magnitude) }
            }
            #expect(sketch.quantile(0) == sorted.first && sketch.quantile(1) == sorted.last)
            if name == "prices" { #expect(sketch.relativeError == 1.0 / 256 && worst <= 1.0 / 256) }
            if name == "uniform" { #expect(sketch.relativeError <= 1.0 / 64) }
        }
    }

    @Test func `memory is bounded, and the error doubles each time buckets are joined`() {
        var errors: [Double] = []
        for spread in [4, 7, 15, 31, 63, 600] {
            let sketch = Self.sketch(
                (0..<30_000).map { Double(sign: .plus, exponent: $0 % (spread + 1), significand: 1 + Double($0 % 997) / 997) })
            errors.append(sketch.relativeError * 256)
            var writer = BinaryWriter()
            sketch.encode(into: &writer)
            #expect(writer.bytes.count <= 16 * QuantileSketch.maxBuckets + 64)
        }
        #expect(errors == [1, 1, 2, 4, 8, 128])
    }

    @Test func `neither order nor the way parts are merged changes a bit`() throws {
        var random = RandomSource(seed: 4)
        for (name, values) in Self.inputs(1_200) {
            let whole = Self.sketch(values)
            #expect(Self.sketch(values.shuffled(using: &random)) == whole, "\(name)")
            for parts in [2, 7, 40] {
                var sketches = Array(repeating: QuantileSketch(), count: parts)
                for value in values { sketches[Int.random(in: 0..<parts, using: &random)].add(value) }
                while sketches.count > 1 {
                    let other = sketches.remove(at: Int.random(in: 0..<sketches.count, using: &random))
                    sketches[Int.random(in: 0..<sketches.count, using: &random)].merge(other)
                }
                #expect(sketches[0] == whole, "\(name) in \(parts)")
            }
        }
    }

    @Test func `what is written and read back goes on to the same bits, and damage is refused`() throws {
        for (name, values) in Self.inputs(900) {
            for cut in [0, 1, QuantileSketch.exactCount, QuantileSketch.exactCount + 1, 900] {
                var writer = BinaryWriter()
                Self.sketch(Array(values.prefix(cut))).encode(into: &writer)
                var reader = BinaryReader(writer.bytes)
                var restored = try QuantileSketch(from: &reader)
                #expect(reader.isAtEnd)
                for value in values.dropFirst(cut) { restored.add(value) }
                #expect(restored == Self.sketch(values), "\(name) at \(cut)")
                for end in stride(from: 0, to: writer.bytes.count, by: 41) {
                    var short = BinaryReader(Array(writer.bytes.prefix(end)))
                    #expect(throws: BinaryReader.Damaged.self) { try QuantileSketch(from: &short) }
                }
            }
        }
    }

    @Test func `state that contradicts itself is refused`() {
        func isRefused(_ write: (inout BinaryWriter) -> Void) -> Bool {
            var writer = BinaryWriter()
            write(&writer)
            writer.write(0.0)
            writer.write(1.0)
            var reader = BinaryReader(writer.bytes)
            return (try? QuantileSketch(from: &reader)) == nil
        }
        func state(_ level: Int, _ exact: [Double], _ buckets: [(Int64, Int64)]) -> (inout BinaryWriter) -> Void {
            { writer in
                writer.write(count: level)
                writer.write(count: exact.count)
                for value in exact { writer.write(value) }
                writer.write(count: buckets.count)
                for (bucket, count) in buckets {
                    writer.write(bucket)
                    writer.write(count)
                }
            }
        }
        #expect(!isRefused(state(0, [0, 1], [])))
        #expect(!isRefused(state(3, [], [(-4, 1), (9, 2)])))
        #expect(isRefused(state(19, [], [(1, 1)])))
        #expect(isRefused(state(0, [1, 0], [])))
        #expect(isRefused(state(0, [.nan], [])))
        #expect(isRefused(state(0, [0], [(1, 1)])))
        #expect(isRefused(state(0, [], [(2, 1), (1, 1)])))
        #expect(isRefused(state(0, [], [(1, 0)])))
        #expect(isRefused(state(0, [], [(1, .max), (2, 1)])))
        #expect(isRefused(state(0, [], [(1 << 40, 1)])))
        #expect(isRefused(state(18, [], [(9, 1)])))
    }

    @Test func `what is not a number does not count`() {
        let sketch = Self.sketch([.nan, .infinity, -.infinity, 3, -0.0])
        #expect(sketch.count == 2)
        #expect(sketch.quantile(1) == 3)
        #expect(sketch.quantile(0)?.sign == .plus)
    }
}
