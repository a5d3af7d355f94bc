import Foundation
import Inference

/// The files of `Tests/Fixtures/Inference`, written by XGBoost.
enum Fixtures {
    struct Expected: Decodable {
        let rows: [[Float?]]
        let margins: [Float]
        let predictions: [Float]

        var matrix: [Float] { rows.flatMap { $0.map { $0 ?? .nan } } }
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let folder = tests.appending(path: "Fixtures/Inference")
        return Array(try Data(contentsOf: folder.appending(path: name)))
    }

    static func expected(_ name: String) throws -> Expected {
        try JSONDecoder().decode(Expected.self, from: Data(bytes(name + ".expected.json")))
    }

    static func model(_ file: String) throws -> BoostedModel { try BoostedModel(bytes: bytes(file)) }
}

/// Equal to a relative tolerance.
func close(_ a: Float, _ b: Float, _ tolerance: Float = 1e-6) -> Bool {
    a == b || (a - b).magnitude <= tolerance * max(a.magnitude, b.magnitude)
}
