import Domain
import Table
import Testing

@testable import Expressions

/// A value depends only on the rows of its key so far: not on batches, restarts or the rows of other keys.
@Suite struct StateTests {
    private static let texts = [
        "lag(x, 3)", "sum_over(x, 5)", "sum_over(n, 5)", "min_over(x, 4)", "max_over(n, 4)", "sma(x, 7)", "ema(x, 5)", "wma(x, 6)",
        "std_over(x, 6)",
        "rsi(x, 5)", "obv(x, n)", "lag(s, 2)", "x / lag(x, 1) - 1", "sma(ema(x, 3), 4)", "if(x > 0, sma(x, 2), lag(x, 1))",
    ]

    private let program: RowProgram
    private let table: Table
    private let keyOfRow: [Int]

    init() throws {
        var random = RandomSource(seed: 11)
        let count = 400
        let reals = (0..<count).map { _ in
            Double.random(in: 0..<1, using: &random) < 0.1 ? nil : Double.random(in: -100...30_000, using: &random)
        }
        table = try Table([
            Column("x", doubles: reals), Column("n", ints: (0..<count).map { _ in Int64.random(in: -50...50, using: &random) }),
            Column("s", strings: (0..<count).map { _ in Bool.random(using: &random) ? nil : "t\(Int.random(in: 0...9, using: &random))" }),
        ])
        keyOfRow = (0..<count).map { _ in Int.random(in: 0...4, using: &random) }
        var columns = try Self.texts.enumerated().map { (name: "c\($0)", expression: try Expression.parse($1)) }
        columns.append(("m", try .parse("macd(x, 3, 6, 4)")))
        program = try RowProgram(
            columns: columns, filter: try .parse("lag(n, 2) > 0"), schema: [("x", .double), ("n", .int), ("s", .string)])
    }

    private func run(batch: Int, restartEvery: Int = .max) throws -> (columns: [Column], keep: [Bool], states: [RowProgram.State]) {
        var states = (0..<5).map { _ in program.initialState() }
        var pieces: [Table] = [], keep: [Bool] = [], start = 0, batches = 0
        while start < table.rowCount {
            let end = min(table.rowCount, start + batch)
            let made = program.evaluate(table.slice(start..<end), keyOfRow: Array(keyOfRow[start..<end]), states: &states)
            pieces.append(try Table(made.columns))
            keep += made.keep ?? []
            start = end
            batches += 1
            if batches % restartEvery == 0 { states = try states.map { try program.decodeState($0.encode()) } }
        }
        return (try Table.concatenated(pieces).columns, keep, states)
    }

    @Test(arguments: [1, 7, 64])
    func `the cut into batches changes nothing`(batch: Int) throws {
        let whole = try run(batch: .max), cut = try run(batch: batch)
        #expect(cut.columns == whole.columns)
        #expect(cut.keep == whole.keep)
        #expect(cut.states == whole.states)
        #expect(whole.keep.contains(true) && whole.keep.contains(false))
    }

    @Test func `state that was written and read back goes on to the same bits`() throws {
        let whole = try run(batch: .max), restarted = try run(batch: 3, restartEvery: 1)
        #expect(restarted.columns == whole.columns)
        #expect(restarted.states.map { $0.encode() } == whole.states.map { $0.encode() })
    }

    @Test func `the rows of other keys change nothing`() throws {
        let whole = try run(batch: .max)
        for key in 0..<5 {
            let rows = keyOfRow.indices.filter { keyOfRow[$0] == key }
            var states = [program.initialState()]
            let alone = program.evaluate(table.gathered(rows), keyOfRow: Array(repeating: 0, count: rows.count), states: &states)
            #expect(alone.columns == whole.columns.map { $0.gathered(rows) })
            #expect(states[0] == whole.states[key])
        }
    }

    @Test func `damaged state and the state of other columns are refused`() throws {
        let bytes = program.initialState().encode()
        let other = try RowProgram(columns: [("a", try .parse("sma(x, 3)"))], filter: nil, schema: [("x", .double)])
        #expect(throws: ExpressionError.self) { try program.decodeState(other.initialState().encode()) }
        #expect(throws: ExpressionError.self) { try program.decodeState(Array(bytes.dropLast())) }
        #expect(throws: ExpressionError.self) { try program.decodeState(bytes + [0]) }
        #expect(throws: ExpressionError.self) { try program.decodeState([]) }
    }

    @Test func `only programs with sequence operators have state`() throws {
        #expect(program.hasState)
        #expect(try !RowProgram(columns: [("a", try .parse("x + 1"))], filter: nil, schema: [("x", .double)]).hasState)
        #expect(try RowProgram(columns: [], filter: try .parse("lag(x, 1) > 0"), schema: [("x", .double)]).hasState)
    }
}
