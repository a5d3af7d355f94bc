import Foundation
import Testing

@testable import ObjectStore

@Suite struct UploadSpaceTests {
    @Test func `an upload stops while the database that shares the disk can still be written`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "space-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let directory = try ObjectDirectory(path: folder, isDurable: false), path = try ObjectPath("a")
        let upload = FileUpload(try directory.beginUpload(path), reservedBytes: .max)
        await #expect {
            try await upload.write([1])
        } throws: { error in
            let error = error as? ObjectStoreError
            return error?.reason == "the disk is nearly full" && error?.isRetriable == true
        }
        let other = FileUpload(try directory.beginUpload(path), reservedBytes: 0)
        try await other.write([1])
        try await other.finish()
        #expect(try directory.entry(path)?.byteCount == 1)
    }

    @Test(arguments: [ENOSPC, EDQUOT, EFBIG])
    func `a write that finds no room may succeed later`(number: Int32) {
        #expect(ObjectStoreError.system("put", path: "a", number).isRetriable)
        #expect(!ObjectStoreError.system("put", path: "a", EACCES).isRetriable)
    }
}
