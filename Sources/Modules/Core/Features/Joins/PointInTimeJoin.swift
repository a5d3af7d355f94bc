package import Domain
package import Table

/// Adds to each row of a spine what was known of its entity at its time.
///
/// A view's newest row whose time is not after the spine row's is taken: of rows of one time the one created last, of
/// those the last in the view's order. It counts as missing when it is older than the view's `ttl`. Every spine row is
/// kept, in order; what is missing is null.
///
/// The time of a row does not say when it came to be known: a backfill writes rows of the past. With
/// `knowledgeTime` a row counts only if it was also created by the spine row's time; one that does not say when it was
/// created does not count.
///
/// - Complexity: For n view rows and m spine rows O(n log n + m log n) time, and n + m row numbers of memory beside the
///   result. With `knowledgeTime` a spine row may look at one number for each 64 rows of its entity.
package enum PointInTimeJoin {
    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// `table` is `nil` for the spine.
        case noColumn(String, table: String?, known: [String])
        case notATime(String, table: String?, found: ValueType)
        case badTime(String, column: String, table: String?, row: Int)
        /// A key that one side has as text and the other as numbers would match nothing.
        case unlikeKeys(String, spine: ValueType, view: String, found: ValueType)
        /// Doubles, bools and times name no entity.
        case notAKey(String, found: ValueType)
        case duplicateColumn(String)
        case noCreated(view: String)

        package var description: String {
            func of(_ table: String?) -> String { table.map { "view \"\($0)\"" } ?? "the spine" }
            switch self {
            case .noColumn(let name, let table, let known):
                return "\(of(table)) has no column \"\(name)\"" + SpellingSuggestion.hint(for: name, among: known)
            case .notATime(let name, let table, let found):
                return "column \"\(name)\" of \(of(table)) is \(found.rawValue): a time is whole milliseconds or ISO 8601 text"
            case .badTime(let text, let column, let table, let row):
                return "column \"\(column)\" of \(of(table)), row \(row + 1): \"\(text.prefix(40))\" is not an ISO 8601 time"
            case .unlikeKeys(let name, let spine, let view, let found):
                return "the key \"\(name)\" is \(spine.rawValue) in the spine and \(found.rawValue) in view \"\(view)\": make them the same"
            case .notAKey(let name, let found):
                return "the key \"\(name)\" is \(found.rawValue): only text and whole numbers name an entity"
            case .duplicateColumn(let name): return "two columns of the result would be named \"\(name)\""
            case .noCreated(let view):
                return "view \"\(view)\" does not say when its rows were ingested, which a join by knowledge time goes by"
            }
        }
    }

    /// - Parameter time: The spine's column of time: milliseconds, or ISO 8601 text.
    /// - Returns: The spine's columns, then `view__feature` for each view in order.
    package static func join(
        spine: Table, time: String, views: [PointInTimeView], knowledgeTime: Bool = false
    ) throws(Error) -> Table {
        let times = try Self.times(time, of: spine, named: nil)
        var columns = spine.columns, names = Set(spine.names)
        for view in views {
            for feature in view.features {
                guard names.insert("\(view.name)__\(feature)").inserted else { throw .duplicateColumn("\(view.name)__\(feature)") }
            }
            let found = try matches(view, spine: spine, times: times, knowledgeTime: knowledgeTime)
            for feature in view.features {
                columns.append(try column(feature, of: view.rows, named: view.name).taking(found, as: "\(view.name)__\(feature)"))
            }
        }
        do throws(Table.Error) { return try Table(columns) } catch { throw .duplicateColumn("\(error)") }
    }

    /// For each spine row the number of the view's row that it meets, or -1.
    private static func matches(
        _ view: PointInTimeView, spine: Table, times: RowTimes, knowledgeTime: Bool
    ) throws(Error) -> [Int32] {
        let own = try Self.times(view.time, of: view.rows, named: view.name)
        if knowledgeTime, view.created == nil { throw .noCreated(view: view.name) }
        var created: RowTimes?
        if let name = view.created { created = try Self.times(name, of: view.rows, named: view.name) }
        var entities = view.key.isEmpty ? EntityCodes(viewRows: view.rows.rowCount, spineRows: spine.rowCount) : EntityCodes()
        for name in view.key {
            let left = try column(name, of: spine, named: nil), right = try column(name, of: view.rows, named: view.name)
            guard left.type == .int || left.type == .string else { throw .notAKey(name, found: left.type) }
            guard left.type == right.type else {
                throw .unlikeKeys(name, spine: left.type, view: view.name, found: right.type)
            }
            entities.add(view: right, spine: left)
        }
        let history = EntityHistory(entities: entities.view, count: entities.count, times: own, created: created)
        return history.matches(entities.spine, times, ttl: view.ttl, knowledgeTime: knowledgeTime)
    }

    private static func column(_ name: String, of table: Table, named view: String?) throws(Error) -> Column {
        guard let column = table[name] else { throw .noColumn(name, table: view, known: table.names) }
        return column
    }

    private static func times(_ name: String, of table: Table, named view: String?) throws(Error) -> RowTimes {
        let column = try column(name, of: table, named: view)
        switch column.values {
        case .int(let values), .time(let values): return RowTimes(values: values, nulls: column.nulls)
        case .string(let texts):
            var values: [EventTime.Milliseconds] = []
            values.reserveCapacity(texts.count)
            for (row, text) in texts.enumerated() {
                guard let time = column.isNull(row) ? 0 : EventTime.parse(text) else {
                    throw .badTime(text, column: name, table: view, row: row)
                }
                values.append(time)
            }
            return RowTimes(values: values, nulls: column.nulls)
        case .bool, .double: throw .notATime(name, table: view, found: column.type)
        }
    }
}

/// A time a row; one that is missing matches nothing.
struct RowTimes {
    let values: [EventTime.Milliseconds]
    let nulls: [Bool]?
}

extension Column {
    /// The cells at `rows` under another name, null where the number is negative.
    fileprivate func taking(_ rows: [Int32], as name: String) -> Column {
        var isNull = [Bool](repeating: false, count: rows.count)
        if let nulls {
            for (place, row) in rows.enumerated() { isNull[place] = row < 0 || nulls[Int(row)] }
        } else {
            for (place, row) in rows.enumerated() { isNull[place] = row < 0 }
        }
        func cells<T>(_ values: [T], _ none: T) -> [T] { rows.map { $0 < 0 ? none : values[Int($0)] } }
        return switch values {
        case .bool(let values): Column(name, .bool(cells(values, false)), nulls: isNull)
        case .int(let values): Column(name, .int(cells(values, 0)), nulls: isNull)
        case .double(let values): Column(name, .double(cells(values, 0)), nulls: isNull)
        case .string(let values): Column(name, .string(cells(values, "")), nulls: isNull)
        case .time(let values): Column(name, .time(cells(values, 0)), nulls: isNull)
        }
    }
}
