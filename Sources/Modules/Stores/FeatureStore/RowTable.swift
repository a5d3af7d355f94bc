/// Rows by the bytes of their keys; looking one up allocates nothing.
///
/// Open addressing with linear probing, at most half full; the hash is seeded anew in every process, so a stranger's keys cannot be
/// chosen to collide.
struct RowTable {
    private struct Entry {
        let hash: Int
        let key: [UInt8]
        var row: OnlineRow
    }

    private var slots: [Entry?] = Array(repeating: nil, count: 16)
    private(set) var count = 0

    subscript(key: UnsafeRawBufferPointer) -> OnlineRow? {
        var slot = Self.hash(key) & (slots.count - 1)
        while let entry = slots[slot] {
            if entry.key.count == key.count, entry.key.withUnsafeBytes({ $0.elementsEqual(key) }) { return entry.row }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    mutating func set(_ key: [UInt8], to row: OnlineRow) {
        if (count + 1) * 2 > slots.count { grow() }
        let hash = key.withUnsafeBytes { Self.hash($0) }
        let slot = place(of: key, hash)
        if slots[slot] == nil { count += 1 }
        slots[slot] = Entry(hash: hash, key: key, row: row)
    }

    mutating func remove(_ key: [UInt8]) {
        var hole = place(of: key, key.withUnsafeBytes { Self.hash($0) })
        guard slots[hole] != nil else { return }
        slots[hole] = nil
        count -= 1
        // What had to move on because of the key that is gone moves back.
        var next = (hole + 1) & (slots.count - 1)
        while let entry = slots[next] {
            let wanted = entry.hash & (slots.count - 1)
            if (next - wanted) & (slots.count - 1) >= (next - hole) & (slots.count - 1) {
                slots[hole] = entry
                slots[next] = nil
                hole = next
            }
            next = (next + 1) & (slots.count - 1)
        }
    }

    /// Where the key is, or would be.
    private func place(of key: [UInt8], _ hash: Int) -> Int {
        var slot = hash & (slots.count - 1)
        while let entry = slots[slot], entry.key != key { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: nil, count: old.count * 2)
        for case let entry? in old { slots[place(of: entry.key, entry.hash)] = entry }
    }

    private static func hash(_ key: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return hasher.finalize()
    }
}
