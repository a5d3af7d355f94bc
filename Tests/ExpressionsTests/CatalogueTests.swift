import Domain
import Table
import Testing

@testable import Expressions

/// What holds for every operator of the catalogue, whichever comes next: its value depends only on the rows of its key so far.
@Suite struct CatalogueTests {
    private struct Case {
        let text: String
        let type: ValueType
        let warmUp: Int
        let inputs: [String]
    }

    private static let rows = 400
    private static let keys = 4

    private let table: Table
    private let keyOfRow: [Int]

    init() throws {
        var random = RandomSource(seed: 23)
        func cells<T>(_ make: (inout RandomSource) -> T) -> [T?] {
            (0..<Self.rows).map { _ in Double.random(in: 0..<1, using: &random) < 0.1 ? nil : make(&random) }
        }
        var columns: [Column] = []
        for index in 0..<4 {
            columns.append(Column("double\(index)", doubles: cells { Double.random(in: -100...3_000, using: &$0) }))
            columns.append(Column("int\(index)", ints: cells { Int64.random(in: -9...9, using: &$0) }))
        }
        columns.append(Column("string0", strings: cells { "t\(Int.random(in: 0...9, using: &$0))" }))
        let times = cells { Int64.random(in: 0...1_000_000, using: &$0) }, bools = cells { Bool.random(using: &$0) }
        columns.append(Column("time0", .time(times.map { $0 ?? 0 }), nulls: times.map { $0 == nil }))
        columns.append(Column("bool0", .bool(bools.map { $0 ?? false }), nulls: bools.map { $0 == nil }))
        table = try Table(columns)
        keyOfRow = (0..<Self.rows).map { _ in Int.random(in: 0..<Self.keys, using: &random) }
    }

    /// Calls of a function with every type it takes and several constants.
    private func cases(_ function: SequenceFunction, _ random: inout RandomSource) -> [Case] {
        var cases: [Case] = []
        for type in ValueType.allCases {
            for scale in [1, 3, 9] {
                // Rising, for operators that want one constant below the next.
                let constants = function.parameters.enumerated().map { position, parameter -> Double in
                    switch parameter {
                    case .rows(let least): Double(least + position * scale + Int.random(in: 0..<scale, using: &random))
                    case .number(let range): Swift.min(Swift.max(1.5, range.lowerBound), range.upperBound)
                    }
                }
                let types = Array(repeating: type, count: function.inputs)
                guard let kernel = try? function.bind(types, Constants(constants)) else { continue }
                let inputs = (0..<function.inputs).map { "\(type.rawValue)\(type == .double || type == .int ? $0 : 0)" }
                let written = zip(constants, function.parameters).map { value, parameter in
                    if case .rows = parameter { "\(Int(value))" } else { "\(value)" }
                }
                let text = "\(function.name)(\((inputs + written).joined(separator: ", ")))"
                cases.append(Case(text: text, type: type, warmUp: kernel.warmUp, inputs: inputs))
            }
        }
        return cases
    }

    private func program(_ text: String) throws -> RowProgram {
        try RowProgram(columns: [("c", try .parse(text))], filter: nil, schema: table.columns.map { ($0.name, $0.type) })
    }

    @Test(arguments: SequenceFunction.all.keys.sorted())
    func `cuts, restarts and other keys change no bit`(name: String) throws {
        var random = RandomSource(seed: Fold.seed(name))
        let cases = cases(try #require(SequenceFunction.all[name]), &random)
        #expect(!cases.isEmpty)
        for one in cases {
            let program = try program(one.text)
            var whole = (0..<Self.keys).map { _ in program.initialState() }
            let expected = program.evaluate(table, keyOfRow: keyOfRow, states: &whole).columns
            var states = (0..<Self.keys).map { _ in program.initialState() }
            var pieces: [Table] = [], start = 0
            while start < Self.rows {
                let end = Swift.min(Self.rows, start + Int.random(in: 0...25, using: &random))
                let made = program.evaluate(table.slice(start..<end), keyOfRow: Array(keyOfRow[start..<end]), states: &states)
                pieces.append(try Table(made.columns))
                start = end
                if Bool.random(using: &random) { states = try states.map { try program.decodeState($0.encode()) } }
            }
            #expect(try Table.concatenated(pieces).columns == expected, "\(one.text)")
            #expect(states == whole, "\(one.text)")
            for key in 0..<Self.keys {
                let rows = keyOfRow.indices.filter { keyOfRow[$0] == key }
                var states = [program.initialState()]
                let alone = program.evaluate(table.gathered(rows), keyOfRow: Array(repeating: 0, count: rows.count), states: &states)
                #expect(alone.columns == expected.map { $0.gathered(rows) }, "\(one.text)")
            }
        }
    }

    @Test(arguments: SequenceFunction.all.keys.sorted())
    func `null while warming up and on a null, never else`(name: String) throws {
        var random = RandomSource(seed: Fold.seed(name))
        for one in cases(try #require(SequenceFunction.all[name]), &random) {
            let program = try program(one.text)
            #expect(program.outputs.allSatisfy { program.warmUp(inputs: [:])[$0.name] == one.warmUp })
            var states = (0..<Self.keys).map { _ in program.initialState() }
            let columns = program.evaluate(table, keyOfRow: keyOfRow, states: &states).columns
            let inputs = one.inputs.compactMap { table[$0] }
            var seen = [Int](repeating: 0, count: Self.keys), wrong = 0
            for row in 0..<Self.rows {
                let hasNull = inputs.contains { $0.isNull(row) }
                let isNull = hasNull || seen[keyOfRow[row]] < one.warmUp
                wrong += columns.count { $0.isNull(row) != isNull }
                if !hasNull { seen[keyOfRow[row]] += 1 }
            }
            #expect(wrong == 0, "\(one.text)")
        }
    }

    @Test func `state that makes no sense does not trap`() throws {
        var random = RandomSource(seed: 5)
        for function in SequenceFunction.all.values {
            for one in cases(function, &random) {
                let program = try program(one.text), empty = program.initialState()
                var writer = BinaryWriter()
                writer.write(count: empty.reals.count)
                for _ in empty.reals { writer.write(Double.nan) }
                writer.write(count: empty.ints.count)
                for _ in empty.ints { writer.write(Bool.random(using: &random) ? Int64.min + 1 : Int64.max) }
                writer.write(count: empty.texts.count)
                for _ in empty.texts { writer.write("") }
                var states = (0..<Self.keys).map { _ in empty }
                states[0] = try program.decodeState(writer.bytes)
                #expect(program.evaluate(table, keyOfRow: keyOfRow, states: &states).columns.count == program.outputs.count)
            }
        }
    }

    private enum Fold {
        static func seed(_ text: String) -> UInt64 { text.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) } }
    }
}
