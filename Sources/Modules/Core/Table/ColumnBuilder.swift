package import Domain

/// Grows one column cell by cell.
package struct ColumnBuilder: Sendable {
    package let name: String
    package let type: ValueType
    var bools: [Bool] = []
    var ints: [Int64] = []
    var doubles: [Double] = []
    var strings: [String] = []
    var nulls: [Bool] = []
    var hasNull = false

    package init(_ name: String, _ type: ValueType) {
        self.name = name
        self.type = type
    }

    package var count: Int { nulls.count }

    /// Appends a cell; ints widen to doubles, ints and times stand for each other, a value of any other type is null.
    package mutating func append(_ value: Value) {
        switch (type, value) {
        case (.bool, .bool(let value)): append(value)
        case (.int, .int(let value)), (.time, .time(let value)), (.time, .int(let value)), (.int, .time(let value)): append(value)
        case (.double, .double(let value)): append(value)
        case (.double, .int(let value)): append(Double(value))
        case (.string, .string(let value)): append(value)
        default: appendNull()
        }
    }

    package mutating func append(_ value: Bool) {
        bools.append(value)
        nulls.append(false)
    }

    /// An int or a time.
    package mutating func append(_ value: Int64) {
        ints.append(value)
        nulls.append(false)
    }

    /// A double; NaN and the infinities are null.
    package mutating func append(_ value: Double) {
        guard value.isFinite else { return appendNull() }
        doubles.append(value)
        nulls.append(false)
    }

    package mutating func append(_ value: String) {
        strings.append(value)
        nulls.append(false)
    }

    package mutating func appendNull() {
        switch type {
        case .bool: bools.append(false)
        case .int, .time: ints.append(0)
        case .double: doubles.append(0)
        case .string: strings.append("")
        }
        nulls.append(true)
        hasNull = true
    }

    mutating func removeLast() {
        switch type {
        case .bool: bools.removeLast()
        case .int, .time: ints.removeLast()
        case .double: doubles.removeLast()
        case .string: strings.removeLast()
        }
        nulls.removeLast()
    }

    /// The column so far; the builder is then empty and keeps its capacity.
    package mutating func finish() -> Column {
        defer {
            bools.removeAll(keepingCapacity: true)
            ints.removeAll(keepingCapacity: true)
            doubles.removeAll(keepingCapacity: true)
            strings.removeAll(keepingCapacity: true)
            nulls.removeAll(keepingCapacity: true)
            hasNull = false
        }
        let values: Column.Values =
            switch type {
            case .bool: .bool(bools)
            case .int: .int(ints)
            case .time: .time(ints)
            case .double: .double(doubles)
            case .string: .string(strings)
            }
        return Column(name, values, nulls: hasNull ? nulls : nil)
    }
}
