/// The hash by which keys choose partitions, equal to that of Kafka's Java client.
///
/// Source: A. Appleby, MurmurHash2, seed 0x9747b28c as in Apache Kafka's `Utils.murmur2`.
package enum Murmur2 {
    package static func hash(_ bytes: [UInt8]) -> UInt32 {
        let m: UInt32 = 0x5bd1_e995
        var h: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        var index = 0
        while index + 4 <= bytes.count {
            var k =
                UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16 | UInt32(bytes[index + 3]) << 24
            k = k &* m
            k ^= k >> 24
            k = k &* m
            h = h &* m ^ k
            index += 4
        }
        let rest = bytes.count - index
        if rest == 3 { h ^= UInt32(bytes[index + 2]) << 16 }
        if rest >= 2 { h ^= UInt32(bytes[index + 1]) << 8 }
        if rest >= 1 {
            h ^= UInt32(bytes[index])
            h = h &* m
        }
        h ^= h >> 13
        h = h &* m
        h ^= h >> 15
        return h
    }

    /// The partition of a key among `count`; records without a key go to the first.
    package static func partition(of key: [UInt8]?, among count: Int) -> Int {
        guard let key, count > 1 else { return 0 }
        return Int(hash(key) & 0x7fff_ffff) % count
    }
}
