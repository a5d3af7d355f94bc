package import Domain

/// A row as JSON text, cell by cell, in memory that does not move while the row lives.
package final class OnlineRow: Sendable {
    /// Where each cell ends and, last, where the time does, as `UInt32`; then the cells one after the other, then the row's time as
    /// a quoted ISO 8601 text. Written once, before anybody else sees the row.
    nonisolated(unsafe) private let memory: UnsafeRawPointer
    private let cells: Int
    /// From when on the row could have been known, milliseconds since the epoch.
    package let availability: EventTime.Milliseconds

    init(_ values: [Value], availability: EventTime.Milliseconds) {
        let header = (values.count + 1) * MemoryLayout<UInt32>.size
        var text: [UInt8] = [], ends: [UInt32] = []
        ends.reserveCapacity(values.count + 1)
        for value in values {
            JSONText.append(value, to: &text)
            ends.append(UInt32(header + text.count))
        }
        JSONText.append(EventTime.format(availability), to: &text)
        ends.append(UInt32(header + text.count))
        let memory = UnsafeMutableRawPointer.allocate(byteCount: header + text.count, alignment: MemoryLayout<UInt32>.alignment)
        ends.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: header) }
        text.withUnsafeBytes { (memory + header).copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: text.count) }
        self.memory = UnsafeRawPointer(memory)
        cells = values.count
        self.availability = availability
    }

    deinit { memory.deallocate() }

    @inline(__always)
    private func text(_ place: Int) -> UnsafeRawBufferPointer {
        let ends = memory.assumingMemoryBound(to: UInt32.self)
        let start = place == 0 ? (cells + 1) * MemoryLayout<UInt32>.size : Int(ends[place - 1])
        return UnsafeRawBufferPointer(start: memory + start, count: Int(ends[place]) - start)
    }

    /// The JSON text of a cell, there as long as the row is.
    package func cell(_ column: Int) -> UnsafeRawBufferPointer {
        precondition(column >= 0 && column < cells, "the row has \(cells) cells")
        return text(column)
    }

    /// The quoted time, there as long as the row is.
    package var time: UnsafeRawBufferPointer { text(cells) }
}
