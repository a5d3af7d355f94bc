import Domain
import Inference
import Testing

struct HostileModelTests {
    @Test(arguments: ["regression-3.2.ubj", "single-leaf-3.2.json"])
    func `a truncated file is refused with the place, at every length`(file: String) throws {
        let bytes = try Fixtures.bytes(file)
        for length in stride(from: 0, to: bytes.count, by: bytes.count > 2_000 ? 13 : 1) {
            #expect(throws: BoostedModel.Error.self) { try BoostedModel(bytes: Array(bytes.prefix(length))) }
        }
    }

    @Test func `flipped bytes never crash, hang or read outside`() throws {
        let bytes = try Fixtures.bytes("regression-3.2.ubj")
        var random = RandomSource(seed: 11)
        for _ in 0..<3_000 {
            var damaged = bytes
            for _ in 0..<1 + random.index(below: 4) {
                damaged[random.index(below: damaged.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            guard let model = try? BoostedModel(bytes: damaged) else { continue }
            _ = try model.predict(row: [Float](repeating: 0.5, count: model.featureCount))
        }
    }

    @Test(
        arguments: [
            // A typed array that claims 2⁶² floats; a length below zero; an unknown marker; text that is not UTF-8.
            [0x7B, 0x55, 1, 0x61, 0x5B, 0x24, 0x64, 0x23, 0x4C, 0x40, 0, 0, 0, 0, 0, 0, 0], [0x7B, 0x69, 0xFF],
            [0x7B, 0x55, 1, 0x61, 0x51],
            [0x7B, 0x55, 1, 0xFF, 0x5A, 0x7D], [0x7B, 0x55, 1, 0x61, 0x5B, 0x24, 0x54, 0x23, 0x55, 4, 0x7D],
        ] as [[UInt8]])
    func `impossible UBJSON is refused without reserving what it claims`(bytes: [UInt8]) {
        let error = #expect(throws: BoostedModel.Error.self) { try BoostedModel(bytes: bytes) }
        guard case .unreadable(_, let offset) = error else { Issue.record("\(String(describing: error))"); return }
        #expect(offset <= bytes.count)
    }

    @Test func `nesting is bounded`() {
        let text = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(throws: BoostedModel.Error.unreadable("nested deeper than 32", offset: 32)) { try BoostedModel(bytes: text) }
    }

    @Test func `an error names the byte`() {
        #expect(throws: BoostedModel.Error.unreadable("expected ':'", offset: 10)) { try BoostedModel(bytes: Array(#"{"learner"}"#.utf8)) }
        #expect(throws: BoostedModel.Error.unreadable("the file ends where a value should stand", offset: 0)) {
            try BoostedModel(bytes: [])
        }
    }

    @Test func `escapes in names are read`() throws {
        let text = document().replacing("\"feature_names\": []", with: #""feature_names": ["pr\u00e9is \ud83d\ude00\"\\"]"#)
        #expect(try BoostedModel(bytes: Array(text.utf8)).featureNames == ["préis 😀\"\\"])
    }
}
