package import Domain
import Table

/// Gives every entity a dense number, in order of first appearance.
package struct KeyIndex: Sendable {
    /// The key columns, in key order.
    private let columns: [String]
    /// Entities by number.
    package private(set) var entities: [EntityKey] = []
    /// The key columns' values by number.
    package private(set) var parts: [[Value]] = []
    private var numbers: [EntityKey: Int] = [:]
    private var textNumbers: [String: Int] = [:]

    init(columns: [String]) { self.columns = columns }

    package var count: Int { entities.count }

    /// The number of an entity whose only key part is text.
    mutating func number(text: String) throws(EntityKey.Error) -> Int {
        if let known = textNumbers[text] { return known }
        let number = try number(of: [.string(text)])
        textNumbers[text] = number
        return number
    }

    mutating func number(of values: [Value]) throws(EntityKey.Error) -> Int {
        let key = try EntityKey(values)
        if let known = numbers[key] { return known }
        numbers[key] = entities.count
        entities.append(key)
        parts.append(values)
        return entities.count - 1
    }

    /// The number of a key as it stands in a record, if the entity is known.
    func known(_ key: EntityKey) -> Int? { numbers[key] }

    /// The key columns of rows that belong to `keys`.
    func columns(for keys: [Int], types: [ValueType]) -> [Column] {
        columns.indices.map { part in
            var builder = ColumnBuilder(columns[part], types[part])
            for key in keys { builder.append(parts[key][part]) }
            return builder.finish()
        }
    }
}
