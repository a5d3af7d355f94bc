package import Domain
import Foundation

/// How many different values there were, in bounded memory: exact up to ``exactCount``, then an estimate whose standard error is
/// ``standardError``, 1.6 percent.
///
/// Values are told apart by a 64-bit hash. Beyond the exact count, the hashes' first 12 bits choose one of 4,096 registers, which
/// keeps the greatest number of leading zeros seen in the rest. The sketch depends on the set of values alone, not on their order,
/// how often they came or how parts were merged.
///
/// Sources: P. Flajolet et al., "HyperLogLog", AOFA 2007, <https://doi.org/10.46298/dmtcs.3545>; O. Ertl, "New cardinality estimation
/// algorithms for HyperLogLog sketches", 2017, <https://arxiv.org/abs/1702.01284>, for the estimate, which has no bias to correct.
package struct DistinctSketch: Sendable, Equatable {
    /// Up to this many different values are told apart; their hashes need the room of the registers.
    package static var exactCount: Int { 512 }
    /// Of an estimate, in parts of the truth.
    package static var standardError: Double { 1.04 / Double(registerCount).squareRoot() }

    private static var indexBits: Int { 12 }
    private static var registerCount: Int { 1 << indexBits }
    /// The most that a register can hold.
    private static var maxRank: Int { 64 - indexBits + 1 }

    /// Ascending; empty once there are registers.
    private var hashes: [UInt64] = []
    private var registers: [UInt8] = []

    package init() {}

    package var isExact: Bool { registers.isEmpty }

    package mutating func add(hash: UInt64) {
        guard isExact else { return note(hash) }
        let position = Self.position(of: hash, in: hashes)
        guard position == hashes.count || hashes[position] != hash else { return }
        hashes.insert(hash, at: position)
        if hashes.count > Self.exactCount { leaveExact() }
    }

    package mutating func merge(_ other: DistinctSketch) {
        if other.isExact {
            for hash in other.hashes { add(hash: hash) }
            return
        }
        if isExact { leaveExact() }
        for index in registers.indices { registers[index] = Swift.max(registers[index], other.registers[index]) }
    }

    private mutating func leaveExact() {
        registers = [UInt8](repeating: 0, count: Self.registerCount)
        for hash in hashes { note(hash) }
        hashes = []
    }

    private mutating func note(_ hash: UInt64) {
        let index = Int(hash >> UInt64(64 - Self.indexBits))
        let rank = Swift.min((hash << UInt64(Self.indexBits)).leadingZeroBitCount + 1, Self.maxRank)
        registers[index] = Swift.max(registers[index], UInt8(rank))
    }

    /// The number of different values, exact or estimated.
    package var count: Int {
        guard !isExact else { return hashes.count }
        var ranks = [Int](repeating: 0, count: Self.maxRank + 1)
        for register in registers { ranks[Int(register)] += 1 }
        let size = Double(Self.registerCount), last = Self.maxRank - 1
        var sum = size * Self.tau(1 - Double(ranks[last + 1]) / size)
        for rank in stride(from: last, through: 1, by: -1) { sum = 0.5 * (sum + Double(ranks[rank])) }
        sum += size * Self.sigma(Double(ranks[0]) / size)
        let estimate = size / (2 * Foundation.log(2)) * size / sum
        return estimate < 1e18 ? Int(estimate.rounded()) : .max
    }

    /// Ertl's correction for registers that saw nothing.
    private static func sigma(_ share: Double) -> Double {
        if share == 1 { return .infinity }
        var x = share, y = 1.0, sum = share
        while true {
            x *= x
            let before = sum
            sum += x * y
            y += y
            if sum == before { return sum }
        }
    }

    /// Ertl's correction for registers that are full.
    private static func tau(_ share: Double) -> Double {
        if share == 0 || share == 1 { return 0 }
        var x = share, y = 1.0, sum = 1 - share
        while true {
            x = x.squareRoot()
            let before = sum
            y *= 0.5
            sum -= (1 - x) * (1 - x) * y
            if sum == before { return sum / 3 }
        }
    }

    private static func position(of hash: UInt64, in hashes: [UInt64]) -> Int {
        var low = 0, high = hashes.count
        while low < high {
            let middle = (low + high) / 2
            if hashes[middle] < hash { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: State

    package func encode(into writer: inout BinaryWriter) {
        writer.write(count: hashes.count)
        for hash in hashes { writer.write(Int64(bitPattern: hash)) }
        writer.write(registers)
    }

    /// Reads what ``encode(into:)`` wrote.
    package init(from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        for _ in 0..<(try reader.readCount()) { hashes.append(UInt64(bitPattern: try reader.readInt())) }
        registers = try reader.readBytes()
        let isSound =
            (registers.isEmpty || registers.count == Self.registerCount && hashes.isEmpty) && hashes.count <= Self.exactCount
            && zip(hashes, hashes.dropFirst()).allSatisfy { $0 < $1 } && registers.allSatisfy { $0 <= UInt8(Self.maxRank) }
        guard isSound else { throw BinaryReader.Damaged(offset: -1) }
    }
}
