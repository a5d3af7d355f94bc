import Domain
import Foundation
import Table
import Testing

@testable import Expressions
@testable import Streaming

/// The page `docs/reference/expressions.md` names every function, only functions that exist, and says what they give.
@Suite struct ReferencePageTests {
    /// Columns that a block declares, and what its examples say.
    private struct Block {
        var columns: [Column] = []
        var examples: [(text: String, expected: String)] = []
    }

    private let page: String
    private let blocks: [Block]

    init() throws {
        let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/reference/expressions.md")
        page = try String(contentsOf: url, encoding: .utf8)
        blocks = page.components(separatedBy: "```text\n").dropFirst().map { part in
            var block = Block()
            for line in part.prefix(while: { $0 != "`" }).split(separator: "\n") {
                let example = line.components(separatedBy: " → "), declaration = line.components(separatedBy: " = ")
                if example.count == 2 {
                    block.examples.append((example[0], example[1]))
                } else if declaration.count == 2 {
                    let values = declaration[1].components(separatedBy: ", ").map(Double.init)
                    block.columns.append(Column(declaration[0], doubles: values))
                }
            }
            return block
        }
    }

    @Test func `every function is named, every name is a function, and each has an example`() {
        let functions = FunctionCatalogue.entries, names = Set(functions.map(\.name))
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| `") }.compactMap { $0.split(separator: "|").first }
        let documented = Set(rows.joined().matches(of: /`([a-z_]+)\(/).map { String($0.1) })
        #expect(documented.union(["lead"]) == names)
        #expect(page.contains("`lead(x, duration)`"))
        let shown = blocks.flatMap(\.examples).map { String($0.text.prefix { $0 != "(" }) }
        #expect(Set(shown) == names.subtracting(["lead"]))
    }

    @Test func `every example gives what it says`() throws {
        #expect(blocks.count == 3)
        for block in blocks {
            for (text, expected) in block.examples {
                let isAggregate = AggregateCall.Kind.allCases.contains { text.hasPrefix($0.rawValue + "(") }
                let outputs = isAggregate ? [try aggregate(text, block.columns)] : try rows(text, block.columns)
                let written = outputs.map { column in (0..<column.count).map { Self.written(column[$0]) }.joined(separator: ", ") }
                #expect(written.joined(separator: "; ") == expected, "\(text)")
            }
        }
    }

    /// A double with at most six places, the others as in a record.
    private static func written(_ value: Value) -> String {
        switch value {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .int(let value), .time(let value): "\(value)"
        case .double(let value): "\((value * 1e6).rounded() / 1e6)"
        case .string(let value): "\"\(value)\""
        }
    }

    private func rows(_ text: String, _ columns: [Column]) throws -> [Column] {
        let columns = columns.isEmpty ? [Column("unit", ints: [1])] : columns
        let table = try Table(columns)
        let program = try RowProgram(columns: [("c", try .parse(text))], filter: nil, schema: columns.map { ($0.name, $0.type) })
        var states = [program.initialState()]
        return program.evaluate(table, keyOfRow: Array(repeating: 0, count: table.rowCount), states: &states).columns
    }

    /// What an aggregate says of all rows as the events of one window.
    private func aggregate(_ text: String, _ columns: [Column]) throws -> Column {
        let program = try AggregateProgram(columns: [("c", try .parse(text))], schema: columns.map { ($0.name, $0.type) })
        let table = try Table(columns)
        var lane = Lane(program.calls[0], argumentType: program.argumentTypes.first ?? .int)
        lane.grow(to: 1)
        let numbers = (0..<table.rowCount).map(Int32.init), order = numbers.map(Int64.init)
        lane.add(
            program.calls[0].argument.map { program.arguments(table)[$0] }, rows: numbers, slots: numbers.map { _ in 0 }, times: order,
            offsets: order)
        var builder = ColumnBuilder("c", lane.resultType)
        builder.append(lane.value(0))
        return builder.finish()
    }
}
