import Domain
package import Table

/// Decodes rows of a view as they stand in a log, whatever definitions they were computed by.
///
/// A column that a row lacks, or that meant something else when the row was computed, reads as null and is named. What cannot be
/// read at all is refused, and the next row is looked at as if it had not been there.
package struct ViewRowReader: Sendable {
    package struct Rows: Sendable {
        /// In the order of the fields asked for.
        package let columns: [Column]
        /// Per row, the columns that it does not have in their present meaning; empty when there is no such row.
        package let foreign: [Set<String>]
        package let count: Int

        package func isForeign(_ row: Int, _ names: some Sequence<String>) -> Bool {
            !foreign.isEmpty && !foreign[row].isEmpty && names.contains { foreign[row].contains($0) }
        }
    }

    /// Rows one after the other that lack the same columns.
    private struct Run {
        let foreign: Set<String>
        let columns: [Column]
        let count: Int
    }

    private let fields: [RowDecoder.Field]
    private let mark: ColumnMark
    private var own: RowDecoder
    private var other: (foreign: Set<String>, decoder: RowDecoder)?
    private var known: [[UInt8]: Set<String>] = [:]
    private static var maxKnown: Int { 1_000 }
    private var runs: [Run] = []
    private var open = 0
    /// Why the last row that was refused could not be read.
    package private(set) var refusal = ""

    /// - Parameter fields: All columns of the view unless others are asked for.
    package init(_ view: CompiledView, fields: [RowDecoder.Field]? = nil) {
        self.fields = fields ?? view.schema.columns.map { RowDecoder.Field($0.name, $0.type, isOptional: true) }
        mark = view.mark
        own = RowDecoder(fields: self.fields)
    }

    /// - Parameter header: The row's header ``HeaderName/columns``.
    /// - Returns: `false` when the bytes are no row of the view; nothing was taken then.
    package mutating func append(_ value: UnsafeRawBufferPointer, header: UnsafeRawBufferPointer?) -> Bool {
        do throws(RowDecoder.Rejection) {
            if mark.isPresent(header) {
                if other != nil { close() }
                try own.append(value)
            } else {
                try appendOther(value, Array(header ?? UnsafeRawBufferPointer(start: nil, count: 0)))
            }
            open += 1
            return true
        } catch {
            refusal = error.description
            return false
        }
    }

    private mutating func appendOther(_ value: UnsafeRawBufferPointer, _ header: [UInt8]) throws(RowDecoder.Rejection) {
        let foreign = known[header] ?? mark.foreign(in: header)
        if known.count >= Self.maxKnown { known.removeAll() }
        known[header] = foreign
        if other?.foreign != foreign { close() }
        var decoder = other?.decoder ?? RowDecoder(fields: fields.filter { !foreign.contains($0.name) })
        // Rows of other definitions are few; the copy of the decoder is not made for others.
        other = nil
        do throws(RowDecoder.Rejection) { try decoder.append(value) } catch {
            other = (foreign, decoder)
            throw error
        }
        other = (foreign, decoder)
    }

    private mutating func close() {
        defer {
            open = 0
            other = nil
        }
        guard open > 0 else { return }
        guard other != nil, let foreign = other?.foreign else {
            runs.append(Run(foreign: [], columns: own.finish(), count: open))
            return
        }
        let decoded = other?.decoder.finish() ?? []
        let columns = fields.map { field in
            decoded.first { $0.name == field.name } ?? Column(field.name, repeating: .null, count: open, type: field.type)
        }
        runs.append(Run(foreign: foreign, columns: columns, count: open))
    }

    /// The rows taken since the last call.
    package mutating func finish() -> Rows {
        close()
        defer { runs = [] }
        let count = runs.reduce(0) { $0 + $1.count }
        guard runs.count != 1 || !runs[0].foreign.isEmpty else { return Rows(columns: runs[0].columns, foreign: [], count: count) }
        let columns = fields.indices.map { index in
            var builder = ColumnBuilder(fields[index].name, fields[index].type)
            for run in runs { builder.append(contentsOf: run.columns[index]) }
            return builder.finish()
        }
        let isMixed = runs.contains { !$0.foreign.isEmpty }
        return Rows(
            columns: columns, foreign: isMixed ? runs.flatMap { Array(repeating: $0.foreign, count: $0.count) } : [], count: count)
    }
}
