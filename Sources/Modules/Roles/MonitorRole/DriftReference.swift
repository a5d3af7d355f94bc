package import Domain
package import Table

/// What the columns of a model looked like in training.
package struct DriftReference: Sendable {
    package enum Values: Sendable, Equatable {
        /// Without nulls.
        case numbers([Double])
        case categories([String])
    }

    package struct Sample: Sendable, Equatable {
        package let values: Values
        /// Nulls among all rows, 0...1; 0 without rows.
        package let missing: Double
        /// Nulls included.
        package let rows: Int

        package var present: Int {
            switch values {
            case .numbers(let numbers): numbers.count
            case .categories(let categories): categories.count
            }
        }

        /// Cells of one column; text decides that it holds categories.
        package init(_ cells: [Value], areCategories: Bool? = nil) {
            var numbers: [Double] = [], categories: [String] = []
            for cell in cells {
                if case .string(let text) = cell { categories.append(text) } else if let number = cell.number { numbers.append(number) }
            }
            let isText = areCategories ?? !categories.isEmpty
            values = isText ? .categories(categories) : .numbers(numbers)
            rows = cells.count
            missing = cells.isEmpty ? 0 : Double(cells.count - (isText ? categories.count : numbers.count)) / Double(cells.count)
        }

        init(_ column: Column) {
            self.init((0..<column.count).map { column[$0] }, areCategories: column.type == .string)
        }
    }

    /// By column name, in the table's order.
    package let columns: [(name: String, sample: Sample)]

    /// - Parameter table: Inputs, and what else the artefact's reference holds.
    package init(_ table: Table) { columns = table.columns.map { ($0.name, Sample($0)) } }

    package subscript(_ name: String) -> Sample? { columns.first { $0.name == name }?.sample }
}
