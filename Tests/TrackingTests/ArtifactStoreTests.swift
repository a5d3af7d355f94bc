import Foundation
import ObjectStore
import Testing

@testable import Tracking

@Suite struct ArtifactStoreTests {
    private final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.appending(path: "artifacts-\(UUID().uuidString)").path
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test func `a file is stored plainly at its path and appears when it is whole`() async throws {
        let folder = Folder()
        let store = ArtifactStore(try await ObjectStore(directory: folder.path))
        let upload = try await store.upload("1/run/artifacts/model/MLmodel")
        try await upload.write(Array("hel".utf8))
        #expect(try await store.list("1").isEmpty)
        try await upload.write(Array("lo".utf8))
        try await upload.finish()
        #expect(FileManager.default.contents(atPath: folder.path + "/1/run/artifacts/model/MLmodel") == Data("hello".utf8))
        let file = try await store.file("1/run/artifacts/model/MLmodel")
        #expect(try await store.bytes(of: file, 1..<3) == Array("el".utf8))
    }

    @Test func `an upload given up leaves nothing`() async throws {
        let folder = Folder()
        let store = ArtifactStore(try await ObjectStore(directory: folder.path))
        let upload = try await store.upload("a/b")
        try await upload.write([1, 2, 3])
        try await upload.abandon()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/.part").isEmpty)
        #expect(await refusal { try await store.file("a/b") } == .doesNotExist)
    }

    @Test func `a folder lists what lies directly in it`() async throws {
        let folder = Folder()
        let store = ArtifactStore(try await ObjectStore(directory: folder.path))
        for path in ["r/a.txt", "r/sub/x", "r/sub/deep/y", "r2/z"] { try await store.upload(path).finish() }
        let entries = try await store.list("r")
        #expect(entries.map(\.name) == ["a.txt", "sub"] && entries.map(\.isDirectory) == [false, true])
        #expect(await refusal { try await store.file("r/sub") } == .invalidParameter)
        try await store.delete("r")
        #expect(try await store.list("r").isEmpty)
        #expect(try await store.list("r2").count == 1)
    }

    @Test(arguments: [
        "../x", "a/../../x", "/etc/passwd", "a/..", "%2e%2e/x", "%252e%252e/x", "a\\..\\x", "a\u{0}b", "", "a//b", ".part/x", "./a",
        "%2fetc/passwd",
        "..%2f..%2fetc", "a/%00",
    ])
    func `a path that leads elsewhere is refused`(path: String) async throws {
        let folder = Folder()
        let store = ArtifactStore(try await ObjectStore(directory: folder.path))
        #expect(await refusal { try await store.upload(path) } == .invalidParameter)
        #expect(await refusal { try await store.file(path) } == .invalidParameter)
        #expect(await refusal { try await store.delete(path) } == .invalidParameter)
    }

    @Test func `a link out of the root is not followed`() async throws {
        let folder = Folder(), outside = Folder()
        try FileManager.default.createDirectory(atPath: outside.path, withIntermediateDirectories: true)
        try Data("secret".utf8).write(to: URL(filePath: outside.path + "/secret"))
        let store = ArtifactStore(try await ObjectStore(directory: folder.path))
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/out", withDestinationPath: outside.path)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/file", withDestinationPath: outside.path + "/secret")
        #expect(await refusal { try await store.file("out/secret") } != nil)
        #expect(await refusal { try await store.file("file") } != nil)
        let upload = try await store.upload("out/new")
        #expect(await refusal { try await upload.finish() } == .invalidParameter)
        #expect(!FileManager.default.fileExists(atPath: outside.path + "/new"))
    }
}
