import Domain
import Table

/// The cells of a column without its name: what kernels take and give.
///
/// Null cells hold zero or empty text, so equal vectors are equal whatever led to their nulls; doubles are finite.
struct Vector: Sendable {
    let values: Column.Values
    /// `nil` when no cell is null.
    let nulls: [Bool]?

    /// Trusts that null cells already hold their placeholder.
    init(_ values: Column.Values, nulls: [Bool]?) {
        self.values = values
        self.nulls = nulls
    }

    /// The column's cells as `type`: ints widen to double, ints and times stand for each other, the rest becomes null.
    init(_ column: Column, as type: ValueType) {
        if column.type == type {
            self.init(column.values, nulls: column.nulls)
            return
        }
        switch (column.values, type) {
        case (.int(let values), .double), (.time(let values), .double): self.init(.double(values.map(Double.init)), nulls: column.nulls)
        case (.int(let values), .time): self.init(.time(values), nulls: column.nulls)
        case (.time(let values), .int): self.init(.int(values), nulls: column.nulls)
        default: self.init(repeating: .null, type, count: column.count)
        }
    }

    /// One value in every row; `type` is that of a null.
    init(repeating value: Value, _ type: ValueType, count: Int) {
        let nulls = value.isNull ? [Bool](repeating: true, count: count) : nil
        switch type {
        case .bool: self.init(.bool(Array(repeating: value == .bool(true), count: count)), nulls: nulls)
        case .int: self.init(.int(Array(repeating: value.integer ?? 0, count: count)), nulls: nulls)
        case .time: self.init(.time(Array(repeating: value.integer ?? 0, count: count)), nulls: nulls)
        case .double: self.init(.double(Array(repeating: value.number ?? 0, count: count)), nulls: nulls)
        case .string:
            if case .string(let text) = value {
                self.init(.string(Array(repeating: text, count: count)), nulls: nulls)
            } else {
                self.init(.string(Array(repeating: "", count: count)), nulls: nulls)
            }
        }
    }

    /// Doubles of which NaN and the infinities, and the rows marked in `nulls`, are null.
    init(doubles: [Double], nulls: [Bool]?) {
        // A sum of exponent checks would not vectorise; one pass with a flag does.
        var isFinite = true
        for value in doubles { isFinite = isFinite && value.isFinite }
        guard nulls != nil || !isFinite else {
            self.init(.double(doubles), nulls: nil)
            return
        }
        var doubles = doubles, mask = nulls ?? [Bool](repeating: false, count: doubles.count)
        for row in doubles.indices where mask[row] || !doubles[row].isFinite {
            mask[row] = true
            doubles[row] = 0
        }
        self.init(.double(doubles), nulls: mask)
    }

    /// Cells computed for every row; those marked in `nulls` get `placeholder`.
    static func cleared<T>(_ values: [T], _ nulls: [Bool]?, _ placeholder: T) -> [T] {
        guard let nulls else { return values }
        var values = values
        for row in values.indices where nulls[row] { values[row] = placeholder }
        return values
    }

    init(bools: [Bool], nulls: [Bool]?) { self.init(.bool(Self.cleared(bools, nulls, false)), nulls: nulls) }
    init(ints: [Int64], nulls: [Bool]?) { self.init(.int(Self.cleared(ints, nulls, 0)), nulls: nulls) }
    init(times: [Int64], nulls: [Bool]?) { self.init(.time(Self.cleared(times, nulls, 0)), nulls: nulls) }
    init(strings: [String], nulls: [Bool]?) { self.init(.string(Self.cleared(strings, nulls, "")), nulls: nulls) }

    var count: Int {
        switch values {
        case .bool(let values): values.count
        case .int(let values), .time(let values): values.count
        case .double(let values): values.count
        case .string(let values): values.count
        }
    }

    func column(_ name: String) -> Column { Column(name, values, nulls: nulls) }

    // The type checker has fixed the type of every argument; the other cases cannot arrive.
    var doubles: [Double] { if case .double(let values) = values { values } else { Array(repeating: 0, count: count) } }
    var bools: [Bool] { if case .bool(let values) = values { values } else { Array(repeating: false, count: count) } }
    var strings: [String] { if case .string(let values) = values { values } else { Array(repeating: "", count: count) } }
    /// Of ints and times.
    var ints: [Int64] {
        switch values {
        case .int(let values), .time(let values): values
        default: Array(repeating: 0, count: count)
        }
    }

    subscript(row: Int) -> Value {
        if let nulls, nulls[row] { return .null }
        return switch values {
        case .bool(let values): .bool(values[row])
        case .int(let values): .int(values[row])
        case .double(let values): .double(values[row])
        case .string(let values): .string(values[row])
        case .time(let values): .time(values[row])
        }
    }

    /// Rows in which any of the vectors is null; `nil` when none is.
    static func anyNull(_ vectors: [Vector]) -> [Bool]? {
        var merged: [Bool]?
        for vector in vectors { merged = merge(merged, vector.nulls) }
        return merged
    }

    static func merge(_ a: [Bool]?, _ b: [Bool]?) -> [Bool]? {
        guard var merged = a else { return b }
        guard let b else { return merged }
        for row in merged.indices { merged[row] = merged[row] || b[row] }
        return merged
    }
}

extension Value {
    /// The number of an int or a time.
    var integer: Int64? {
        switch self {
        case .int(let value), .time(let value): value
        default: nil
        }
    }
}
