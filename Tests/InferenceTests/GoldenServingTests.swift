import Foundation
import Inference
import Testing

/// The shared models and what XGBoost predicts for their inputs.
struct GoldenServingTests {
    static let directory = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/shared/golden/serving"
    static var isPresent: Bool { FileManager.default.fileExists(atPath: directory) }

    @Test(.enabled(if: isPresent))
    func `golden binary model gives XGBoost's margins and probabilities`() throws {
        let model = try BoostedModel(bytes: Self.bytes("bin_model.json"))
        let wanted = try Self.rows("bin_predictions.csv")
        let inputs = try Self.rows("inputs.csv").prefix(wanted.count)
        let margins = try model.margins(matrix: inputs.flatMap { $0 }, rows: inputs.count)
        let outputs = try model.predict(matrix: inputs.flatMap { $0 }, rows: inputs.count)
        for (row, wanted) in wanted.enumerated() {
            #expect(close(outputs[row], wanted[0]))
            #expect(close(margins[row], wanted[1]))
        }
    }

    @Test(.enabled(if: isPresent))
    func `golden three-class model gives XGBoost's probabilities`() throws {
        let model = try BoostedModel(bytes: Self.bytes("multi_model.json"))
        let wanted = try Self.rows("multi_predictions.csv")
        let inputs = try Self.rows("inputs.csv").prefix(wanted.count)
        let outputs = try model.predict(matrix: inputs.flatMap { $0 }, rows: inputs.count)
        for (found, wanted) in zip(outputs, wanted.flatMap { $0 }) { #expect(close(found, wanted)) }
    }

    private static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: directory).appending(path: name)))
    }

    /// The lines below the heading; an empty cell is NaN.
    private static func rows(_ name: String) throws -> [[Float]] {
        try String(decoding: bytes(name), as: UTF8.self).split(whereSeparator: \.isNewline).dropFirst().map { line in
            line.split(separator: ",", omittingEmptySubsequences: false).map { Float($0) ?? .nan }
        }
    }
}
