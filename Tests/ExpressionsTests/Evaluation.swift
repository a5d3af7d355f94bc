import Domain
import Table

@testable import Expressions

/// Evaluates expressions over small tables.
enum Evaluation {
    /// One expression over columns, all rows of one key.
    static func values(_ text: String, _ columns: [Column]) throws -> [Value] {
        let column = try Self.columns(of: [("result", text)], columns)[0]
        return (0..<column.count).map { column[$0] }
    }

    static func columns(of texts: [(String, String)], _ columns: [Column]) throws -> [Column] {
        let table = try Table(columns)
        let program = try RowProgram(
            columns: texts.map { ($0.0, try Expression.parse($0.1)) }, filter: nil, schema: columns.map { ($0.name, $0.type) })
        var states = [program.initialState()]
        return program.evaluate(table, keyOfRow: Array(repeating: 0, count: table.rowCount), states: &states).columns
    }

    /// One row of constants.
    static func value(_ text: String) throws -> Value { try values(text, [Column("unit", ints: [1])])[0] }

    /// The error an expression gives over a trade-like schema in a row view.
    static func error(_ text: String) -> ExpressionError? {
        let schema: Schema = [("price", .double), ("trades", .int), ("pair", .string), ("at", .time), ("flag", .bool)]
        do throws(ExpressionError) {
            _ = try RowProgram(columns: [("result", try Expression.parse(text))], filter: nil, schema: schema)
            return nil
        } catch { return error }
    }

    static func doubles(_ text: String, _ columns: [Column]) throws -> [Double?] {
        try values(text, columns).map { $0.isNull ? nil : $0.number }
    }
}
