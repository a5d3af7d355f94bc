import Domain
import Foundation
import Table

@testable import Expressions

/// Columns of numbers read from a file; an empty cell is a null.
enum IndicatorFiles {
    /// Where this repository's own reference values are; see `reference.py` there.
    static let reference = folder("../Fixtures/Indicators")
    /// Two thousand candles and what TA-Lib makes of them; not always there.
    static let golden = folder("../../../shared/golden/streaming/talib")

    private static func folder(_ path: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: path).path
    }

    static func columns(_ path: String, separator: Character = ",") throws -> [(name: String, values: [Double?])] {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline)
        let names = lines[0].split(separator: separator, omittingEmptySubsequences: false).map(String.init)
        var columns: [(name: String, values: [Double?])] = names.map { ($0, []) }
        for line in lines.dropFirst() {
            for (index, cell) in line.split(separator: separator, omittingEmptySubsequences: false).enumerated() {
                columns[index].values.append(Double(cell))
            }
        }
        return columns
    }

    static func table(_ path: String) throws -> [Column] { try columns(path).map { Column($0.name, doubles: $0.values) } }

    /// The greatest distance of found cells from expected ones, as the reference tolerance counts it; infinite where one is null and
    /// the other is not.
    /// - Parameter skipping: Rows not looked at.
    static func distance(_ found: Column, _ expected: [Double?], skipping: Range<Int> = 0..<0) -> Double {
        guard found.count == expected.count else { return .infinity }
        var worst = 0.0
        for row in expected.indices where !skipping.contains(row) {
            switch (found[row].number, expected[row]) {
            case (nil, nil): continue
            case (let a?, let b?): worst = Swift.max(worst, (a - b).magnitude / Swift.max(1, b.magnitude))
            default: return .infinity
            }
        }
        return worst
    }
}
