import Crypto
import Domain

/// Remembers the latest event ids of one key and tells repeats.
///
/// The memory is a ring: when it is full the oldest id is forgotten. It is kept in segments, so that saving what a
/// batch changed does not mean saving all of it.
struct Deduplication: Sendable {
    /// 16 bytes that stand for an id: ids of up to 15 bytes exactly, longer ones by 120 bits of their SHA-256.
    struct Fingerprint: Hashable, Sendable {
        let high: UInt64
        let low: UInt64

        init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        init(_ id: String) {
            var id = id
            self = id.withUTF8 { utf8 in
                guard utf8.count > 15 else { return Fingerprint(short: utf8) }
                var digest = SHA256()
                digest.update(bufferPointer: UnsafeRawBufferPointer(utf8))
                return digest.finalize().withUnsafeBytes { hash in
                    Fingerprint(
                        high: 0xFF << 56 | hash.loadUnaligned(as: UInt64.self).bigEndian >> 8,
                        low: hash.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                }
            }
        }

        private init(short utf8: UnsafeBufferPointer<UInt8>) {
            var words = (high: UInt64(utf8.count) << 56, low: UInt64(0))
            for (index, byte) in utf8.enumerated() {
                if index < 7 {
                    words.high |= UInt64(byte) << UInt64(48 - index * 8)
                } else {
                    words.low |= UInt64(byte) << UInt64((index - 7) * 8)
                }
            }
            self.init(high: words.high, low: words.low)
        }
    }

    static let segmentLength = 512

    let capacity: Int
    private var ring: [Fingerprint] = []
    /// Where the next id goes once the ring is full.
    private var next = 0
    private var known: Set<Fingerprint> = []
    private(set) var dirtySegments: Set<Int> = []

    init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Notes an id.
    /// - Returns: `false` when it is a repeat.
    mutating func insert(_ fingerprint: Fingerprint) -> Bool {
        guard known.insert(fingerprint).inserted else { return false }
        if ring.count < capacity {
            ring.append(fingerprint)
            dirtySegments.insert((ring.count - 1) / Self.segmentLength)
        } else {
            known.remove(ring[next])
            ring[next] = fingerprint
            dirtySegments.insert(next / Self.segmentLength)
            next = (next + 1) % capacity
        }
        return true
    }

    mutating func markClean() { dirtySegments.removeAll(keepingCapacity: true) }

    /// Where the ring stands; saved with every batch that changed it.
    func encodePosition() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(count: next)
        return writer.bytes
    }

    func encode(segment: Int) -> [UInt8] {
        var writer = BinaryWriter()
        for index in segment * Self.segmentLength..<min(ring.count, (segment + 1) * Self.segmentLength) {
            writer.write(Int64(bitPattern: ring[index].high))
            writer.write(Int64(bitPattern: ring[index].low))
        }
        return writer.bytes
    }

    mutating func decodePosition(_ bytes: [UInt8]) throws(BinaryReader.Damaged) {
        var reader = BinaryReader(bytes)
        next = Int(try reader.readInt())
    }

    /// Puts a segment back; segments arrive in order.
    mutating func decodeSegment(_ bytes: [UInt8]) throws(BinaryReader.Damaged) {
        var reader = BinaryReader(bytes)
        while !reader.isAtEnd {
            let fingerprint = Fingerprint(
                high: UInt64(bitPattern: try reader.readInt()), low: UInt64(bitPattern: try reader.readInt()))
            ring.append(fingerprint)
            known.insert(fingerprint)
        }
    }
}
