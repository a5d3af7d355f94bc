import Testing

@testable import Web

@Suite struct InflateTests {
    /// Python's `gzip.compress(b"hello hello hello", mtime=0)`.
    private let gzip: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 87, 200, 64, 144, 0, 128, 136, 249, 229, 17, 0, 0, 0,
    ]

    @Test func `a compressed body reads as its content`() throws {
        #expect(try String(decoding: Inflate.bytes(gzip, limit: 100), as: UTF8.self) == "hello hello hello")
    }

    @Test func `content beyond the limit is refused, at the limit it is not`() throws {
        #expect(try Inflate.bytes(gzip, limit: 17).count == 17)
        #expect(throws: Inflate.Error.tooLarge(limit: 16)) { try Inflate.bytes(gzip, limit: 16) }
    }

    @Test func `bytes that are not one whole stream are refused`() {
        for cut in 0..<gzip.count { #expect(throws: Inflate.Error.damaged) { try Inflate.bytes(Array(gzip[..<cut]), limit: 100) } }
        #expect(throws: Inflate.Error.damaged) { try Inflate.bytes(Array("{\"instances\":[]}".utf8), limit: 100) }
    }

    @Test func `only the encodings that can be undone are`() {
        #expect(Inflate.undoes("gzip") && Inflate.undoes("Deflate") && !Inflate.undoes("br") && !Inflate.undoes("identity"))
    }
}
