package import Domain

/// A column-oriented frame: the unit of batch work everywhere in the system.
///
/// Column names are unique and all columns have ``rowCount`` cells. A table is a value; operations return new tables
/// that share the columns they did not touch.
package struct Table: Sendable, Equatable {
    package enum Error: Swift.Error, Equatable {
        case unequalLengths(column: String, count: Int, expected: Int)
        case duplicateColumn(String)
        case noColumn(String, known: [String])
        case typeMismatch(column: String, found: ValueType, expected: ValueType)
    }

    package let columns: [Column]
    package let rowCount: Int
    private let index: [String: Int]

    package init(_ columns: [Column]) throws(Error) {
        let rowCount = columns.first?.count ?? 0
        var index: [String: Int] = [:]
        for (position, column) in columns.enumerated() {
            guard column.count == rowCount else {
                throw .unequalLengths(column: column.name, count: column.count, expected: rowCount)
            }
            guard index.updateValue(position, forKey: column.name) == nil else { throw .duplicateColumn(column.name) }
        }
        self.columns = columns
        self.rowCount = rowCount
        self.index = index
    }

    /// A table with no rows of the given shape.
    package init(empty shape: [(name: String, type: ValueType)]) throws(Error) {
        try self.init(shape.map { Column($0.name, repeating: .null, count: 0, type: $0.type) })
    }

    package var names: [String] { columns.map(\.name) }

    /// The column of that name, if there is one.
    package subscript(_ name: String) -> Column? { index[name].map { columns[$0] } }

    package func column(_ name: String) throws(Error) -> Column {
        guard let position = index[name] else { throw .noColumn(name, known: names) }
        return columns[position]
    }

    package func position(of name: String) -> Int? { index[name] }

    /// One row as values in column order.
    package func row(_ row: Int) -> [Value] { columns.map { $0[row] } }

    /// The named columns, in the order asked for.
    package func selecting(_ names: [String]) throws(Error) -> Table {
        var chosen: [Column] = []
        for name in names { chosen.append(try column(name)) }
        return try Table(chosen)
    }

    /// The rows at `rows`, in that order; a row may repeat.
    package func gathered(_ rows: [Int]) -> Table { Table(unchecked: columns.map { $0.gathered(rows) }, rowCount: rows.count) }

    package func filtered(_ keep: [Bool]) -> Table {
        if !keep.contains(false) { return self }
        return gathered(keep.indices.filter { keep[$0] })
    }

    package func slice(_ range: Range<Int>) -> Table { gathered(Array(range)) }

    /// This table with `column` added, or put in the place of the column of its name.
    package func with(_ column: Column) throws(Error) -> Table {
        guard let position = index[column.name] else { return try Table(columns + [column]) }
        var changed = columns
        changed[position] = column
        return try Table(changed)
    }

    /// Row positions ordered by a column: stable, ascending, nulls last.
    package func order(by name: String) throws(Error) -> [Int] {
        let column = try column(name)
        func sorted<T: Comparable>(_ values: [T]) -> [Int] {
            (0..<rowCount).sorted { a, b in
                switch (column.isNull(a), column.isNull(b)) {
                case (false, false): values[a] == values[b] ? a < b : values[a] < values[b]
                case (false, true): true
                case (true, false): false
                case (true, true): a < b
                }
            }
        }
        return switch column.values {
        case .bool(let values): sorted(values.map { $0 ? 1 : 0 })
        case .int(let values), .time(let values): sorted(values)
        case .double(let values): sorted(values)
        case .string(let values): sorted(values)
        }
    }

    /// The rows of all tables, one after the other. All must have the same columns in the same order; an `int` column
    /// meeting a `double` column of its name widens.
    package static func concatenated(_ tables: [Table]) throws(Error) -> Table {
        guard let first = tables.first else { return try Table([]) }
        if tables.count == 1 { return first }
        var columns: [Column] = []
        for (position, model) in first.columns.enumerated() {
            var type = model.type
            for table in tables {
                guard position < table.columns.count, table.columns[position].name == model.name else {
                    throw .noColumn(model.name, known: table.names)
                }
                let found = table.columns[position].type
                if found == type { continue }
                guard found.isNumeric, type.isNumeric else { throw .typeMismatch(column: model.name, found: found, expected: type) }
                type = .double
            }
            var builder = ColumnBuilder(model.name, type)
            for table in tables { builder.append(contentsOf: table.columns[position]) }
            columns.append(builder.finish())
        }
        return try Table(columns)
    }

    private init(unchecked columns: [Column], rowCount: Int) {
        self.columns = columns
        self.rowCount = rowCount
        index = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1.name, $0) })
    }
}

extension ColumnBuilder {
    package mutating func append(contentsOf column: Column) {
        switch (type, column.values) {
        case (.bool, .bool(let values)): bools += values
        case (.int, .int(let values)), (.time, .time(let values)): ints += values
        case (.double, .double(let values)): doubles += values
        case (.string, .string(let values)): strings += values
        default:
            for row in 0..<column.count { append(column[row]) }
            return
        }
        nulls += column.nulls ?? [Bool](repeating: false, count: column.count)
        hasNull = hasNull || column.nulls != nil
    }
}

extension Table {
    /// No columns, no rows.
    package static let empty = Table(unchecked: [], rowCount: 0)
}
