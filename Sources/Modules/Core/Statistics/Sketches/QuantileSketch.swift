package import Domain

/// Quantiles of numbers in bounded memory: exact up to ``exactCount`` numbers, then within a relative error of the numbers themselves.
///
/// Beyond that many, a number is kept as its bucket: its sign, exponent and leading digits of its mantissa. A bucket of the finest
/// ``level`` is at most 1/128 of its numbers wide, so its middle is within ``relativeError`` = 1/256 of each. When more than
/// ``maxBuckets`` buckets are used, neighbouring buckets are joined in pairs everywhere, which doubles the error: 1/256 holds while the
/// greatest magnitude is less than some 2⁸ times the least, 1/128 up to 2¹⁶, 1/64 up to 2³². Numbers of magnitude below 2⁻¹⁰²² have
/// no such bound.
///
/// The sketch depends on which numbers it was given and how often, not on their order or on how parts were merged.
///
/// Sources: C. Masson, J. Rim, H. Lee, "DDSketch", PVLDB 12(12), 2019, <https://doi.org/10.14778/3352063.3352135>; I. Epicoco et al.,
/// "UDDSketch", IEEE Access 8, 2020, <https://doi.org/10.1109/ACCESS.2020.3015599>, for joining pairs. The logarithm is that of the
/// floating-point format, straight between powers of two, so no library's rounding enters.
package struct QuantileSketch: Sendable, Equatable {
    /// Up to this many numbers are kept as they are.
    package static var exactCount: Int { 256 }
    package static var maxBuckets: Int { 1_024 }
    /// At this level a bucket holds every positive number.
    private static var maxLevel: Int { 18 }

    package private(set) var count = 0
    /// How often buckets were joined in pairs; 0 while exact.
    package private(set) var level = 0
    /// All numbers while they are few, ascending; empty once there are buckets.
    private var exact: [Double] = []
    /// Ascending; negative for negative numbers, 0 for zero.
    private var buckets: [Int32] = []
    private var counts: [Int64] = []
    private var least = Double.infinity
    private var greatest = -Double.infinity

    package init() {}

    package var isExact: Bool { buckets.isEmpty }

    /// The bound on how far a number may lie from what the sketch takes it for, in parts of itself; 0 while exact.
    package var relativeError: Double {
        if isExact { return 0 }
        // Half a bucket in parts of its lower end; from level 8 on a bucket holds several powers of two.
        return level <= 7 ? 1 / Double(256 >> level) : Double(sign: .plus, exponent: 1 << (level - 8), significand: 1) - 1
    }

    /// - Parameter value: A finite number; others are not counted.
    package mutating func add(_ value: Double) {
        guard value.isFinite else { return }
        let value = value == 0 ? 0 : value
        count += 1
        least = Swift.min(least, value)
        greatest = Swift.max(greatest, value)
        guard isExact else { return add(bucket: Self.bucket(of: value, level: level), 1) }
        exact.insert(value, at: Self.position(of: value, in: exact))
        if exact.count > Self.exactCount { leaveExact() }
    }

    package mutating func merge(_ other: QuantileSketch) {
        guard other.count > 0 else { return }
        if other.isExact {
            for value in other.exact { add(value) }
            return
        }
        count += other.count
        least = Swift.min(least, other.least)
        greatest = Swift.max(greatest, other.greatest)
        if isExact { leaveExact() }
        var other = other
        while other.level < level { other.joinPairs() }
        while level < other.level { joinPairs() }
        for (bucket, number) in zip(other.buckets, other.counts) {
            // Adding may join pairs here; the buckets still to come are then those of an older level.
            add(bucket: Self.joined(bucket, times: level - other.level), number)
        }
    }

    /// The quantile, interpolated between the two numbers next to it; `nil` when there are none.
    /// - Parameter fraction: From 0, the least, to 1, the greatest.
    package func quantile(_ fraction: Double) -> Double? {
        guard count > 0 else { return nil }
        if isExact { return Quantile.linear(fraction, ofSorted: exact) }
        let position = Swift.min(Swift.max(fraction, 0), 1) * Double(count - 1), below = Int(position)
        let low = number(below), share = position - Double(below)
        return share > 0 ? low + (number(below + 1) - low) * share : low
    }

    /// What stands for the number of that rank, from 0, once there are buckets.
    private func number(_ rank: Int) -> Double {
        if rank <= 0 { return least }
        if rank >= count - 1 { return greatest }
        var before = 0
        for (bucket, number) in zip(buckets, counts) {
            before += Int(number)
            if rank < before { return Swift.min(Swift.max(Self.middle(of: bucket, level: level), least), greatest) }
        }
        return greatest
    }

    // MARK: Buckets

    private mutating func leaveExact() {
        let values = exact
        exact = []
        for value in values { add(bucket: Self.bucket(of: value, level: level), 1) }
    }

    private mutating func add(bucket: Int32, _ number: Int64) {
        let position = Self.position(of: bucket, in: buckets)
        if position < buckets.count, buckets[position] == bucket {
            counts[position] += number
            return
        }
        buckets.insert(bucket, at: position)
        counts.insert(number, at: position)
        while buckets.count > Self.maxBuckets { joinPairs() }
    }

    private mutating func joinPairs() {
        level += 1
        var joined: [Int32] = [], sums: [Int64] = []
        for (bucket, number) in zip(buckets, counts) {
            let pair = Self.joined(bucket, times: 1)
            if joined.last == pair {
                sums[sums.count - 1] += number
            } else {
                joined.append(pair)
                sums.append(number)
            }
        }
        buckets = joined
        counts = sums
    }

    /// The sign and the leading bits of the magnitude, which order as the numbers do.
    private static func bucket(of value: Double, level: Int) -> Int32 {
        if value == 0 { return 0 }
        let magnitude = Int32(value.magnitude.bitPattern >> 45) >> Int32(Swift.min(level, maxLevel)) + 1
        return value > 0 ? magnitude : -magnitude
    }

    private static func joined(_ bucket: Int32, times: Int) -> Int32 {
        if bucket == 0 { return 0 }
        let magnitude = (bucket.magnitude - 1) >> UInt32(Swift.min(times, maxLevel)) + 1
        return bucket > 0 ? Int32(magnitude) : -Int32(magnitude)
    }

    private static func middle(of bucket: Int32, level: Int) -> Double {
        if bucket == 0 { return 0 }
        let first = UInt64(bucket.magnitude - 1) << UInt64(level + 45), last = UInt64(bucket.magnitude) << UInt64(level + 45)
        // Between two bit patterns lies the middle of a bucket within a power of two, and something like its root beyond. The end of
        // the topmost bucket would not be a finite number.
        let end = Swift.min(last, Double.greatestFiniteMagnitude.bitPattern)
        let middle = Double(bitPattern: first + (end - first) / 2)
        return bucket > 0 ? middle : -middle
    }

    /// Where `value` stands, or would stand, in an ascending list.
    private static func position<T: Comparable>(of value: T, in values: [T]) -> Int {
        var low = 0, high = values.count
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: State

    package func encode(into writer: inout BinaryWriter) {
        writer.write(count: level)
        writer.write(count: exact.count)
        for value in exact { writer.write(value) }
        writer.write(count: buckets.count)
        for (bucket, number) in zip(buckets, counts) {
            writer.write(Int64(bucket))
            writer.write(number)
        }
        writer.write(least)
        writer.write(greatest)
    }

    /// Reads what ``encode(into:)`` wrote.
    package init(from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        let level = try reader.readInt()
        for _ in 0..<(try reader.readCount()) { exact.append(try reader.readDouble()) }
        for _ in 0..<(try reader.readCount()) {
            guard let bucket = Int32(exactly: try reader.readInt()) else { throw BinaryReader.Damaged(offset: -1) }
            buckets.append(bucket)
            counts.append(try reader.readInt())
        }
        least = try reader.readDouble()
        greatest = try reader.readDouble()
        var total = 0, overflows = false
        for number in counts {
            let (sum, overflow) = total.addingReportingOverflow(Int(number))
            total = sum
            overflows = overflows || overflow || number <= 0
        }
        let isSound =
            (0...Int64(Self.maxLevel)).contains(level) && exact.count <= Self.exactCount && buckets.count <= Self.maxBuckets && !overflows
            && exact.allSatisfy(\.isFinite) && zip(exact, exact.dropFirst()).allSatisfy { $0 <= $1 }
            && zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 } && (exact.isEmpty || buckets.isEmpty)
            && buckets.allSatisfy { $0.magnitude <= UInt32(1 << 18) >> UInt32(level) + 1 }
        guard isSound else { throw BinaryReader.Damaged(offset: -1) }
        self.level = Int(level)
        count = exact.isEmpty ? total : exact.count
    }
}
