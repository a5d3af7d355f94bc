/// Texts one after the other in one buffer.
package struct TextList: Sendable, Equatable {
    package private(set) var bytes: [UInt8] = []
    /// Where each text ends.
    private var ends: [Int] = []

    package init() {}

    package var count: Int { ends.count }

    package mutating func reserveCapacity(texts: Int, bytes: Int) {
        ends.reserveCapacity(texts)
        self.bytes.reserveCapacity(bytes)
    }

    /// Where a text lies in ``bytes``.
    @inline(__always)
    package func range(_ place: Int) -> Range<Int> { (place == 0 ? 0 : ends[place - 1])..<ends[place] }

    package mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        bytes.append(contentsOf: text)
        ends.append(bytes.count)
    }

    /// Appends what `write` adds to the buffer.
    package mutating func append(_ write: (inout [UInt8]) -> Void) {
        write(&bytes)
        ends.append(bytes.count)
    }
}
