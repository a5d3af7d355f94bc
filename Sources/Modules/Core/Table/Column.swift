package import Domain

/// One named, typed column with nulls.
///
/// A null cell keeps a placeholder (zero, empty text) in ``values`` and is told by ``isNull``; doubles are finite
/// or null, so NaN never travels.
package struct Column: Sendable, Equatable {
    package enum Values: Sendable, Equatable {
        case bool([Bool])
        case int([Int64])
        case double([Double])
        case string([String])
        /// Milliseconds since the Unix epoch.
        case time([EventTime.Milliseconds])
    }

    package let name: String
    package let values: Values
    /// One flag per row, `true` where the cell is null; `nil` when no cell is.
    package let nulls: [Bool]?

    /// - Parameter nulls: As long as `values`, or `nil`. An all-false mask is dropped, so equal columns compare equal.
    package init(_ name: String, _ values: Values, nulls: [Bool]? = nil) {
        self.name = name
        self.values = values
        if let nulls, nulls.contains(true) { self.nulls = nulls } else { self.nulls = nil }
    }

    /// A column of doubles in which `nil` and non-finite numbers are null.
    package init(_ name: String, doubles: [Double?]) {
        self.init(
            name, .double(doubles.map { $0.flatMap { $0.isFinite ? $0 : nil } ?? 0 }), nulls: doubles.map { !($0?.isFinite ?? false) })
    }

    package init(_ name: String, strings: [String?]) {
        self.init(name, .string(strings.map { $0 ?? "" }), nulls: strings.map { $0 == nil })
    }

    package init(_ name: String, ints: [Int64?]) {
        self.init(name, .int(ints.map { $0 ?? 0 }), nulls: ints.map { $0 == nil })
    }

    /// A column of one value repeated; a null column takes `type`.
    package init(_ name: String, repeating value: Value, count: Int, type: ValueType) {
        var builder = ColumnBuilder(name, type)
        for _ in 0..<count { builder.append(value) }
        self = builder.finish()
    }

    package var type: ValueType {
        switch values {
        case .bool: .bool
        case .int: .int
        case .double: .double
        case .string: .string
        case .time: .time
        }
    }

    package var count: Int {
        switch values {
        case .bool(let values): values.count
        case .int(let values), .time(let values): values.count
        case .double(let values): values.count
        case .string(let values): values.count
        }
    }

    package var nullCount: Int { nulls?.count { $0 } ?? 0 }

    package func isNull(_ row: Int) -> Bool { nulls?[row] ?? false }

    package subscript(row: Int) -> Value {
        if isNull(row) { return .null }
        return switch values {
        case .bool(let values): .bool(values[row])
        case .int(let values): .int(values[row])
        case .double(let values): .double(values[row])
        case .string(let values): .string(values[row])
        case .time(let values): .time(values[row])
        }
    }

    /// Every cell as a double: ints, times and bools widened, nulls and text as NaN. For numeric code.
    package func numbers() -> [Double] {
        var result: [Double]
        switch values {
        case .double(let values): result = values
        case .int(let values), .time(let values): result = values.map(Double.init)
        case .bool(let values): result = values.map { $0 ? 1 : 0 }
        case .string(let values): return [Double](repeating: .nan, count: values.count)
        }
        if let nulls { for row in nulls.indices where nulls[row] { result[row] = .nan } }
        return result
    }

    package func renamed(_ name: String) -> Column { Column(name, values, nulls: nulls) }

    /// The cells at `rows`, in that order; a row may repeat.
    package func gathered(_ rows: [Int]) -> Column {
        let mask = nulls.map { nulls in rows.map { nulls[$0] } }
        return switch values {
        case .bool(let values): Column(name, .bool(rows.map { values[$0] }), nulls: mask)
        case .int(let values): Column(name, .int(rows.map { values[$0] }), nulls: mask)
        case .double(let values): Column(name, .double(rows.map { values[$0] }), nulls: mask)
        case .string(let values): Column(name, .string(rows.map { values[$0] }), nulls: mask)
        case .time(let values): Column(name, .time(rows.map { values[$0] }), nulls: mask)
        }
    }
}
