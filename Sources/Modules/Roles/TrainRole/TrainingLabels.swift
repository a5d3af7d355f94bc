import Domain
import Expressions
import Features
import Learning
import Table

/// Puts the label beside every row of a view's history.
struct TrainingLabels: Sendable {
    let definition: TrainingDefinition
    let target: TargetProgram
    let schema: ViewSchema
    /// Rows before the first value, by column of the view.
    let warmUp: [String: Int]

    /// The rows that can train. A label is looked up by availability, so a gap leaves a row unlabelled, never mislabelled.
    func rows(_ table: Table) throws -> TrainingRows {
        let availability = try Self.times(table.column(schema.metadata.availabilityColumn))
        let keys = try schema.key.map { try table.column($0.name) }
        let names = (0..<table.rowCount).map { row in String(decoding: JSONText.array(keys.map { $0[row] }), as: UTF8.self) }
        var numbers: [String: Int] = [:]
        let keyOfRow = names.map { name in
            let next = numbers.count
            return numbers[name]
                ?? {
                    numbers[name] = next
                    return next
                }()
        }
        return try TrainingRows(
            table: table, target: target.evaluate(table, keyOfRow: keyOfRow, availability: availability), availability: availability,
            keys: names, features: definition.features, warmUp: warmUp, missing: definition.missing)
    }

    private static func times(_ column: Column) throws(Table.Error) -> [EventTime.Milliseconds] {
        switch column.values {
        case .int(let values), .time(let values): values
        default: throw .typeMismatch(column: column.name, found: column.type, expected: .int)
        }
    }
}
