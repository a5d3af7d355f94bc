import CArrow
import Domain
import Table

/// Turns one Arrow array into one table column, widening to the five types tables have.
struct ArrowDecoder {
    let file: String
    let column: String
    /// Row of the file, from 1, at which the array starts.
    let firstRow: Int64

    /// - Parameter rows: Physical positions in the buffers: the array's offset is already part of them.
    func decode(_ array: ArrowArray, as type: ArrowType, rows: Range<Int>) throws(ColumnarError) -> Column {
        if rows.isEmpty || type == .null {
            return Column(column, repeating: .null, count: rows.count, type: type.valueType ?? .string)
        }
        let source = Source(array: array, rows: rows, nulls: nulls(array, rows))
        switch type {
        case .null: return Column(column, repeating: .null, count: rows.count, type: .string)
        case .bool: return Column(column, .bool(bits(source)), nulls: source.nulls)
        case .int8: return ints(source, Int8.self)
        case .int16: return ints(source, Int16.self)
        case .int32: return ints(source, Int32.self)
        case .int64: return ints(source, Int64.self)
        case .uint8: return ints(source, UInt8.self)
        case .uint16: return ints(source, UInt16.self)
        case .uint32: return ints(source, UInt32.self)
        case .uint64:
            return Column(
                column, .int(try checked(source, UInt64.self, "does not fit 64 bits with a sign") { Int64(exactly: $0) }),
                nulls: source.nulls)
        case .float16: return doubles(source, UInt16.self) { Self.double(half: $0) }
        case .float32: return doubles(source, Float.self) { Double($0) }
        case .float64: return doubles(source, Double.self) { $0 }
        case .text(let wideOffsets):
            let texts = wideOffsets ? try texts(source, Int64.self) : try texts(source, Int32.self)
            return Column(column, .string(texts), nulls: source.nulls)
        case .decimal(4, let scale): return doubles(source, Int32.self) { Self.double(Int128($0), scale: scale) }
        case .decimal(8, let scale): return doubles(source, Int64.self) { Self.double(Int128($0), scale: scale) }
        case .decimal(_, let scale): return doubles(source, Int128.self) { Self.double($0, scale: scale) }
        case .days:
            return Column(
                column, .time(try checked(source, Int32.self, "is outside the years 1 to 9999") { Self.inRange(Int64($0) * 86_400_000) }),
                nulls: source.nulls)
        case .timestamp(let unit):
            let times = try checked(source, Int64.self, "is outside the years 1 to 9999") { Self.milliseconds($0, unit) }
            return Column(column, .time(times), nulls: source.nulls)
        case .dictionary(let index, let values): return try dictionary(source, index: index, values: values)
        }
    }

    /// One array's buffers seen through its row range.
    private struct Source {
        let array: ArrowArray
        let rows: Range<Int>
        let nulls: [Bool]?

        func values<T>(_ buffer: Int, _: T.Type) -> UnsafePointer<T>? {
            array.buffers[buffer]?.assumingMemoryBound(to: T.self)
        }
    }

    private func nulls(_ array: ArrowArray, _ rows: Range<Int>) -> [Bool]? {
        guard array.null_count != 0, array.n_buffers > 0, let bitmap = array.buffers[0]?.assumingMemoryBound(to: UInt8.self)
        else { return nil }
        return rows.map { bitmap[$0 >> 3] & (1 << ($0 & 7)) == 0 }
    }

    private func bits(_ source: Source) -> [Bool] {
        guard let bitmap = source.values(1, UInt8.self) else { return [Bool](repeating: false, count: source.rows.count) }
        return source.rows.enumerated().map { row, at in
            source.nulls?[row] != true && bitmap[at >> 3] & (1 << (at & 7)) != 0
        }
    }

    /// Every cell through `convert`; null cells become `placeholder`.
    private func mapped<T, U>(_ source: Source, _ placeholder: U, _ convert: (T) -> U) -> [U] {
        guard let base = source.values(1, T.self) else { return [U](repeating: placeholder, count: source.rows.count) }
        let cells = UnsafeBufferPointer(start: base + source.rows.lowerBound, count: source.rows.count)
        guard let nulls = source.nulls else { return cells.map(convert) }
        return cells.indices.map { nulls[$0] ? placeholder : convert(cells[$0]) }
    }

    private func ints<T: FixedWidthInteger>(_ source: Source, _: T.Type) -> Column {
        Column(column, .int(mapped(source, 0) { (value: T) in Int64(truncatingIfNeeded: value) }), nulls: source.nulls)
    }

    private func checked<T>(
        _ source: Source, _: T.Type, _ complaint: String, _ convert: (T) -> Int64?
    ) throws(ColumnarError) -> [Int64] {
        var failed: (row: Int, value: T)?
        var row = 0
        let base = source.values(1, T.self)
        let values: [Int64] = source.rows.map { at in
            defer { row += 1 }
            guard source.nulls?[row] != true, let base else { return 0 }
            if let value = convert(base[at]) { return value }
            if failed == nil { failed = (row, base[at]) }
            return 0
        }
        if let failed {
            throw ColumnarError(
                .invalidValue, "read", file: file, column: column, row: firstRow + Int64(failed.row), "\(failed.value) \(complaint)")
        }
        return values
    }

    /// NaN and the infinities are null, as everywhere in tables.
    private func doubles<T>(_ source: Source, _: T.Type, _ convert: (T) -> Double) -> Column {
        let values = mapped(source, 0, convert)
        if values.allSatisfy(\.isFinite) { return Column(column, .double(values), nulls: source.nulls) }
        return Column(column, doubles: values.indices.map { source.nulls?[$0] == true ? nil : values[$0] })
    }

    private func texts<Offset: FixedWidthInteger>(_ source: Source, _: Offset.Type) throws(ColumnarError) -> [String] {
        guard let offsets = source.values(1, Offset.self) else { return [String](repeating: "", count: source.rows.count) }
        let bytes = source.values(2, UInt8.self)
        var texts: [String] = []
        texts.reserveCapacity(source.rows.count)
        for at in source.rows {
            let (from, to) = (Int(offsets[at]), Int(offsets[at + 1]))
            guard source.nulls?[texts.count] != true, let bytes, to > from else {
                texts.append("")
                continue
            }
            guard let text = String(validating: UnsafeBufferPointer(start: bytes + from, count: to - from), as: UTF8.self) else {
                throw ColumnarError(
                    .invalidValue, "read", file: file, column: column, row: firstRow + Int64(texts.count), "the text is not UTF-8")
            }
            texts.append(text)
        }
        return texts
    }

    private func dictionary(_ source: Source, index: ArrowType, values: ArrowType) throws(ColumnarError) -> Column {
        guard let dictionary = source.array.dictionary?.pointee else {
            throw ColumnarError(.malformed, "read", file: file, column: column, "its dictionary is missing")
        }
        let start = Int(dictionary.offset)
        let entries = try decode(dictionary, as: values, rows: start..<(start + Int(dictionary.length)))
        guard case .int(let indices) = try decode(source.array, as: index, rows: source.rows).values else {
            throw ColumnarError(.malformed, "read", file: file, column: column, "its dictionary indices are not integers")
        }
        var builder = ColumnBuilder(column, entries.type)
        for (row, index) in indices.enumerated() {
            builder.append(source.nulls?[row] == true ? .null : entries[Int(index)])
        }
        return builder.finish()
    }

    static func milliseconds(_ time: Int64, _ unit: ArrowType.TimeUnit) -> EventTime.Milliseconds? {
        switch unit {
        case .second:
            let (value, overflow) = time.multipliedReportingOverflow(by: 1_000)
            return overflow ? nil : inRange(value)
        case .millisecond: return inRange(time)
        case .microsecond: return inRange(time.flooredQuotient(by: 1_000))
        case .nanosecond: return inRange(time.flooredQuotient(by: 1_000_000))
        }
    }

    private static func inRange(_ time: Int64) -> Int64? { EventTime.range.contains(time) ? time : nil }

    /// The double nearest to `unscaled` ÷ 10^`scale`.
    static func double(_ unscaled: Int128, scale: Int) -> Double {
        // Both operands exact: one division rounds once.
        if unscaled.magnitude <= 1 << 53, (0...22).contains(scale) {
            return Double(Int64(unscaled)) / (0..<scale).reduce(1.0) { power, _ in power * 10 }
        }
        return Double("\(unscaled)e\(-scale)") ?? .nan
    }

    /// IEEE 754 half precision.
    static func double(half bits: UInt16) -> Double {
        let sign: Double = bits >> 15 == 0 ? 1 : -1
        let exponent = Int(bits >> 10 & 0x1F), fraction = Double(bits & 0x3FF)
        switch exponent {
        case 0: return sign * Double(sign: .plus, exponent: -24, significand: fraction)
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Double(sign: .plus, exponent: exponent - 25, significand: 1_024 + fraction)
        }
    }
}
