import Domain
import Foundation
import Table
import Testing

@testable import Expressions

@Suite struct SequenceTests {
    private func doubles(_ values: Double?...) -> [Column] { [Column("x", doubles: values)] }

    @Test(
        arguments: [
            ("lag(x, 1)", [nil, 1, 2, 4, 8]), ("lag(x, 3)", [nil, nil, nil, 1, 2]), ("sum_over(x, 2)", [nil, 3, 6, 12, 24]),
            ("sum_over(x, 1)", [1, 2, 4, 8, 16]), ("sma(x, 2)", [nil, 1.5, 3, 6, 12]), ("mean_over(x, 2)", [nil, 1.5, 3, 6, 12]),
            ("min_over(x, 3)", [nil, nil, 1, 2, 4]), ("max_over(0 - x, 3)", [nil, nil, -1, -2, -4]), ("ema(x, 1)", [1, 2, 4, 8, 16]),
            ("ema(x, 3)", [nil, nil, 7.0 / 3, 31.0 / 6, 127.0 / 12]), ("wma(x, 2)", [nil, 5.0 / 3, 10.0 / 3, 20.0 / 3, 40.0 / 3]),
            ("std_over(x, 2)", [nil, 0.5, 1, 2, 4]), ("rsi(x, 2)", [nil, nil, 100, 100, 100]), ("rsi(0 - x, 2)", [nil, nil, 0, 0, 0]),
            ("obv(x, x)", [1, 3, 7, 15, 31]), ("obv(0 - x, x)", [1, -1, -5, -13, -29]), ("x / lag(x, 1) - 1", [nil, 1, 1, 1, 1]),
            ("sma(x - lag(x, 1), 2)", [nil, nil, 1.5, 3, 6]),
        ] as [(String, [Double?])])
    func `an operator gives what its definition says, null while it warms up`(text: String, expected: [Double?]) throws {
        let found = try Evaluation.doubles(text, doubles(1, 2, 4, 8, 16))
        #expect(found.count == expected.count)
        for (a, b) in zip(found, expected) {
            if let a, let b { #expect(abs(a - b) < 1e-12) } else { #expect(a == b) }
        }
    }

    @Test func `a null row gives null and is as if it had not been`() throws {
        let columns = doubles(1, nil, 2, 4, nil, 8)
        #expect(try Evaluation.doubles("sum_over(x, 2)", columns) == [nil, nil, 3, 6, nil, 12])
        #expect(try Evaluation.doubles("lag(x, 1)", columns) == [nil, nil, 1, 2, nil, 4])
        #expect(
            try Evaluation.doubles("ema(x, 2)", columns).compactMap { $0 }
                == (try Evaluation.doubles("ema(x, 2)", doubles(1, 2, 4, 8))).compactMap { $0 })
        let ints = [Column("n", ints: [5, nil, 3, 9])]
        #expect(try Evaluation.values("min_over(n, 2)", ints) == [.null, .null, .int(3), .int(3)])
        #expect(try Evaluation.values("sum_over(n, 2)", ints) == [.null, .null, .int(8), .int(12)])
        let two = [Column("p", doubles: [1, 2, nil, 3]), Column("v", doubles: [10, nil, 10, 10])]
        #expect(try Evaluation.doubles("obv(p, v)", two) == [10, nil, nil, 20])
    }

    @Test func `lag keeps text, bools, ints and times as they are`() throws {
        #expect(
            try Evaluation.values("lag(s, 2)", [Column("s", strings: ["a", "b", nil, "c", "d"])]) == [
                .null, .null, .null, .string("a"), .string("b"),
            ])
        #expect(try Evaluation.values("lag(f, 1)", [Column("f", .bool([true, false, true]))]) == [.null, .bool(true), .bool(false)])
        #expect(try Evaluation.values("lag(n, 1)", [Column("n", ints: [.max, .min])]) == [.null, .int(.max)])
        #expect(try Evaluation.values("t - lag(t, 1)", [Column("t", .time([60_000, 120_000]))]) == [.null, .int(60_000)])
    }

    @Test func `a large value leaves no residue once it has left the window`() throws {
        let values: [Double?] = [0.1, 0.2, 1e17, 0.3, 0.4, 0.5, 0.6, 0.7]
        let sums = try Evaluation.doubles("sum_over(x, 2)", [Column("x", doubles: values)])
        #expect(sums[4] == 0.3 + 0.4)
        #expect(sums[7] == 0.6 + 0.7)
        let extreme: [Double?] = [1e308, 1e308, 1, 2, 3, 4]
        #expect(try Evaluation.doubles("sum_over(x, 2)", [Column("x", doubles: extreme)]) == [nil, nil, 1e308 + 1, 3, 5, 7])
    }

    @Test func `an average that left the range of doubles begins again`() throws {
        let values: [Double?] = [1e308, -1e308, 1e308, 1, 1, 1, 1, 1]
        for text in ["ema(x, 2)", "rsi(x, 2)", "macd(x, 1, 2, 1)"] {
            let found = try Evaluation.doubles(text, [Column("x", doubles: values)])
            #expect(found.last ?? nil != nil, "\(text)")
        }
    }

    @Test func `a sum of ints is exact, and null and counted only where it does not fit`() throws {
        let table = try Table([Column("n", ints: [.max, .max, .min, .min, 1, 2])])
        let program = try RowProgram(columns: [("s", try .parse("sum_over(n, 2)"))], filter: nil, schema: [("n", .int)])
        var states = [program.initialState()], counts = EvaluationCounts()
        let column = program.evaluate(table, keyOfRow: Array(repeating: 0, count: 6), states: &states, counts: &counts).columns[0]
        #expect(column == Column("s", ints: [nil, nil, -1, nil, .min + 1, 3]))
        #expect(counts.overflows == 2)
    }

    @Test(arguments: [1, 2, 3, 7, 10, 64])
    func `sliding sums and extremes equal those of the window itself`(rows: Int) throws {
        var random = RandomSource(seed: UInt64(rows))
        let reals = (0..<200).map { _ in Double(Int.random(in: -1_000...1_000, using: &random)) / 8 }
        let columns = [Column("x", .double(reals)), Column("n", .int(reals.map { Int64($0 * 8) }))]
        let found = try Evaluation.columns(
            of: [
                ("s", "sum_over(x, \(rows))"), ("a", "min_over(x, \(rows))"), ("b", "max_over(x, \(rows))"), ("si", "sum_over(n, \(rows))"),
                ("ai", "min_over(n, \(rows))"), ("bi", "max_over(n, \(rows))"),
            ], columns)
        for row in reals.indices {
            guard row >= rows - 1 else {
                #expect(found.allSatisfy { $0.isNull(row) })
                continue
            }
            // Eighths are summed without rounding, so any order gives the same bits.
            let window = reals[(row - rows + 1)...row], sum = window.reduce(0, +), least = window.min() ?? 0, greatest = window.max() ?? 0
            #expect(found.map { $0[row].number } == [sum, least, greatest, sum * 8, least * 8, greatest * 8])
        }
    }

    /// The series of the reference values: a wave on a rising line.
    private var course: [Column] {
        let closes = (0..<70).map(Double.init).map { row -> Double in 100 + 0.1 * row + 5 * sin(0.3 * row) }
        return [Column("close", .double(closes)), Column("volume", .double((0..<70).map { 1 + Double($0 % 7) * 0.5 }))]
    }

    @Test(
        arguments: [
            ("sma(close, 7)", 6, 109.97358671581866), ("sma(close, 14)", 13, 106.04495644110219),
            ("sma(close, 21)", 20, 105.91222405277958),
            ("sma(close, 60)", 59, 103.79909121652013), ("ema(close, 7)", 6, 109.8207837131665), ("ema(close, 14)", 13, 107.90359190845555),
            ("ema(close, 21)", 20, 106.93291477500716), ("ema(close, 60)", 59, 104.57430656777329), ("rsi(close, 7)", 7, 84.92977254754737),
            ("rsi(close, 14)", 14, 72.42839544864162), ("rsi(close, 21)", 21, 66.84979777055223), ("rsi(close, 60)", 60, 59.36105653890012),
            ("obv(close, volume)", 0, 23.0),
        ] as [(String, Int, Double)])
    func `operators agree with TA-Lib on the reference series`(text: String, first: Int, last: Double) throws {
        let found = try Evaluation.doubles(text, course)
        #expect(found.firstIndex { $0 != nil } == first)
        #expect(abs((found[69] ?? .nan) - last) <= 1e-9 * max(1, abs(last)))
    }

    @Test func `macd agrees with TA-Lib, whose fast average is seeded at the slow one's first bar`() throws {
        let found = try Evaluation.columns(of: [("macd", "macd(close, 7, 14, 9)")], course)
        #expect(found.map(\.name) == ["macd", "macd_signal", "macd_hist"])
        for (column, last) in zip(found, [1.9171918955463383, 1.0502140506956645, 0.8669778448506738]) {
            #expect((0..<70).first { !column.isNull($0) } == 21)
            #expect(abs((column[69].number ?? .nan) - last) <= 1e-9)
        }
        #expect(abs((found[0][22].number ?? .nan) - 0.16916858) <= 1e-8)
    }

    @Test func `a still market has an rsi of zero`() throws {
        #expect(try Evaluation.doubles("rsi(x, 2)", doubles(5, 5, 5, 5)) == [nil, nil, 0, 0])
    }
}
