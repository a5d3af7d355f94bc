package import Domain
package import Expressions

/// What the columns of a row mean, as it stands in the row's header ``HeaderName/columns``: the first eight digits of every
/// declared column's definition hash, in order, each once.
///
/// A hash covers the column's name, so a reader whose definitions have come on knows which columns of an older row still are
/// what it takes them for.
package struct ColumnMark: Sendable {
    /// Of the present definitions; empty when they are not known.
    package let bytes: [UInt8]
    private let digits: [(name: String, hash: [UInt8])]

    package init(declared: Schema, hashes: [String: ContentHash]) {
        digits = declared.compactMap { column in hashes[column.name].map { (column.name, Array($0.hex.utf8.prefix(Self.width))) } }
        var bytes: [UInt8] = [], seen: Set<[UInt8]> = []
        for (_, hash) in digits where seen.insert(hash).inserted { bytes += hash }
        self.bytes = bytes
    }

    private static var width: Int { 8 }

    /// Whether a row is of the present definitions, by its header; a row without one is taken for it.
    package func isPresent(_ header: UnsafeRawBufferPointer?) -> Bool {
        guard let header, !bytes.isEmpty else { return true }
        return header.count == bytes.count && header.elementsEqual(bytes)
    }

    /// The declared columns that a row with this header does not have, or has in another meaning.
    package func foreign(in header: some Collection<UInt8>) -> Set<String> {
        var known: Set<[UInt8]> = [], rest = Array(header)[...]
        while rest.count >= Self.width {
            known.insert(Array(rest.prefix(Self.width)))
            rest = rest.dropFirst(Self.width)
        }
        return Set(digits.lazy.filter { !known.contains($0.hash) }.map(\.name))
    }
}

extension CompiledView {
    /// The mark of this view's rows.
    package var mark: ColumnMark { ColumnMark(declared: schema.declared, hashes: hashes) }
}
