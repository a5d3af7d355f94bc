import Foundation
import Statistics
import Testing

/// Scores that Evidently gave for the shared scenarios.
struct GoldenMonitoringTests {
    static let directory = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/shared/golden/monitoring"
    static var isPresent: Bool { FileManager.default.fileExists(atPath: directory + "/golden") }
    static let scenarios = [
        "binary", "bool_equal_n", "boundary_1000", "boundary_1001", "category_shift", "constant_columns", "heavy_ties", "high_cardinality",
        "infinities_outliers", "integer_coded_big", "integer_coded_small", "large_100k", "mean_shift", "mean_shift_small", "missing_values",
        "multiclass", "new_category", "no_drift", "no_drift_small", "regression", "tiny_n12_vs_7", "tiny_n30", "variance_change",
    ]

    @Test(.enabled(if: isPresent), arguments: scenarios)
    func `golden ks, psi and wasserstein of every column equal Evidently's`(scenario: String) throws {
        let url = URL(fileURLWithPath: Self.directory)
        let golden = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url.appending(path: "golden/\(scenario).json"))) as? [String: Any])
        let reference = try Self.columns(url.appending(path: "data/\(scenario)/reference.csv"))
        let current = try Self.columns(url.appending(path: "data/\(scenario)/current.csv"))
        var compared = 0
        for (name, column) in try #require(golden["columns"] as? [String: [String: Any]]) {
            guard let methods = column["methods"] as? [String: [String: Any]], let old = reference[name], let new = current[name] else {
                continue
            }
            if let expected = methods["ks"]?["score"] as? Double {
                let test = try #require(KolmogorovSmirnov(Self.numbers(old), Self.numbers(new)))
                #expect(close(test.pValue, expected, 1e-6), "ks of \(name): \(test.pValue), not \(expected)")
                compared += 1
            }
            if let expected = methods["wasserstein"]?["score"] as? Double {
                let score = try #require(Wasserstein.normed(reference: Self.numbers(old), current: Self.numbers(new)))
                #expect(close(score, expected, 1e-9), "wasserstein of \(name): \(score), not \(expected)")
                compared += 1
            }
            if let expected = methods["psi"]?["score"] as? Double {
                let isNumber = column["evidently_type_current"] as? String == "num"
                let isInteger = (column["dtype"] as? String ?? "").hasPrefix("int")
                let index =
                    isNumber
                    ? PopulationStability.index(reference: Self.numbers(old), current: Self.numbers(new), integers: isInteger)
                    : PopulationStability.index(reference: old.filter { !$0.isEmpty }, current: new.filter { !$0.isEmpty })
                let score = try #require(index)
                #expect(close(score, expected, 1e-9), "psi of \(name): \(score), not \(expected)")
                compared += 1
            }
        }
        #expect(compared > 0)
    }

    private static func numbers(_ cells: [String]) -> [Double] { cells.compactMap(Double.init).filter(\.isFinite) }

    private static func columns(_ url: URL) throws -> [String: [String]] {
        let lines = try String(contentsOf: url, encoding: .utf8).split(whereSeparator: \.isNewline)
        let names = lines[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        var columns = [[String]](repeating: [], count: names.count)
        for line in lines.dropFirst() {
            for (index, cell) in line.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
                columns[index].append(String(cell))
            }
        }
        return Dictionary(uniqueKeysWithValues: zip(names, columns))
    }
}
