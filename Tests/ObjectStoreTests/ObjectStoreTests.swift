import Domain
import Foundation
import ObjectStore
import Testing

/// A store in a folder that goes away with the test, and a secret file beside it.
private final class Fixture {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("objects-\(UUID().uuidString)").path
    var root: String { folder + "/store" }

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("secret".utf8).write(to: URL(fileURLWithPath: folder + "/secret"))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }
}

private func code(_ body: () async throws -> some Any) async -> ObjectStoreError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? ObjectStoreError)?.code
    }
}

@Suite struct ObjectPathTests {
    @Test(arguments: ["", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.", "a\0b", ".part", ".part/x"])
    func `a path that could leave the store or name nothing is refused`(text: String) {
        #expect(throws: ObjectStoreError.self) { try ObjectPath(text) }
    }

    @Test(arguments: ["a", "a/b", "day=2023-07-06/0-1-2.parquet", "..a", "a..", "é/x y", "a/.part", String(repeating: "x", count: 255)])
    func `any other path is one`(text: String) throws {
        #expect(try ObjectPath(text).description == text)
    }

    @Test func `names have the limits of file systems`() {
        #expect(throws: ObjectStoreError.self) { try ObjectPath(String(repeating: "x", count: 256)) }
        #expect(throws: ObjectStoreError.self) { try ObjectPath(Array(repeating: "abcdefg", count: 129).joined(separator: "/")) }
    }

    @Test func `appending cannot leave either`() throws {
        let path = try ObjectPath("a")
        #expect(try path.appending("b/c").description == "a/b/c")
        #expect(throws: ObjectStoreError.self) { try path.appending("../../b") }
    }
}

@Suite struct ObjectStoreTests {
    private let fixture: Fixture
    private let store: ObjectStore

    init() async throws {
        fixture = try Fixture()
        store = try await ObjectStore(url: "file:" + fixture.root)
    }

    private func path(_ text: String) throws -> ObjectPath { try ObjectPath(text) }

    @Test(arguments: ObjectStore.Durability.allCases)
    func `what is put is got, and put again replaces it`(durability: ObjectStore.Durability) async throws {
        let store = try await ObjectStore(directory: fixture.root + "/deep/er", durability: durability)
        let path = try path("models/a/model.ubj")
        try await store.put([1, 2, 3], at: path)
        #expect(try await store.get(path) == [1, 2, 3])
        try await store.put([], at: path)
        #expect(try await store.get(path) == [])
        #expect(try await store.exists(path))
    }

    @Test func `parts of an object are read by byte range`() async throws {
        let path = try path("a")
        try await store.put([0, 1, 2, 3, 4], at: path)
        #expect(try await store.get(path, range: 1..<4) == [1, 2, 3])
        #expect(try await store.get(path, range: 5..<5) == [])
        #expect(await code { try await store.get(path, range: 3..<6) } == .outOfRange)
        #expect(await code { try await store.get(path, range: -1..<2) } == .outOfRange)
    }

    @Test func `an object that is not there is not found, and deleting it says so`() async throws {
        let path = try path("a/b")
        #expect(await code { try await store.get(path) } == .notFound)
        #expect(try await store.exists(path) == false)
        #expect(try await store.delete(path) == false)
        try await store.put([1], at: path)
        #expect(try await store.delete(path) == true)
        #expect(try await store.exists(path) == false)
    }

    @Test func `listings are sorted by bytes, whole below a prefix, and show no unfinished writes`() async throws {
        for name in ["b/2", "b/10", "b!", "ab", "a", "b/c/d", "é"] { try await store.put([1, 2], at: path(name)) }
        try Data([0]).write(to: URL(fileURLWithPath: fixture.root + "/.part/unfinished"))
        #expect(try await store.list().map(\.path.description) == ["a", "ab", "b!", "b/10", "b/2", "b/c/d", "é"])
        #expect(try await store.list(prefix: "b/").map(\.path.description) == ["b/10", "b/2", "b/c/d"])
        #expect(try await store.list(prefix: "a").map(\.path.description) == ["a", "ab"])
        #expect(try await store.list(prefix: "b/c").map(\.path.description) == ["b/c/d"])
        #expect(try await store.list(prefix: "nothing/here").isEmpty)
        #expect(try await store.list(prefix: "a/").isEmpty)
        #expect(try await store.list(prefix: "b!").map(\.byteCount) == [2])
    }

    @Test(arguments: ["../", "/etc", "a/../../"])
    func `a listing cannot leave the store`(prefix: String) async {
        #expect(await code { try await store.list(prefix: prefix) } == .invalidPath)
    }

    @Test func `a link is never followed, be it the object or a folder on the way`() async throws {
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: fixture.root + "/link", withDestinationPath: fixture.folder + "/secret")
        try manager.createSymbolicLink(atPath: fixture.root + "/out", withDestinationPath: fixture.folder)
        #expect(await code { try await store.get(path("link")) } == .notAnObject)
        #expect(await code { try await store.get(path("out/secret")) } != nil)
        #expect(await code { try await store.put([1], at: path("out/new")) } != nil)
        #expect(try await store.delete(path("out/secret")) == false)
        #expect(try await store.exists(path("link")) == false)
        #expect(try await store.list().isEmpty)
        #expect(try await store.list(prefix: "out/").isEmpty)
        #expect(manager.fileExists(atPath: fixture.folder + "/secret"))
        #expect(!manager.fileExists(atPath: fixture.folder + "/new"))
        // Putting over a link replaces the link, not what it points to.
        try await store.put([7], at: path("link"))
        #expect(try await store.get(path("link")) == [7])
        #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.folder + "/secret")) == Data("secret".utf8))
    }

    @Test func `a path is an object or a folder, not both`() async throws {
        try await store.put([1], at: path("a/b"))
        #expect(await code { try await store.put([1], at: path("a")) } == .conflict)
        #expect(await code { try await store.get(path("a")) } == .conflict)
        #expect(await code { try await store.put([1], at: path("a/b/c")) } == .conflict)
        #expect(try await store.get(path("a/b")) == [1])
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.root + "/.part").isEmpty)
    }

    @Test func `content is stored once under its SHA-256 and checked when read`() async throws {
        let hash = try await store.putContent(Array("abc".utf8))
        #expect(hash.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(try await store.putContent(Array("abc".utf8)) == hash)
        #expect(try await store.list().map(\.path) == [ObjectStore.path(of: hash)])
        #expect(try await store.getContent(hash) == Array("abc".utf8))
        try await store.put(Array("abd".utf8), at: ObjectStore.path(of: hash))
        #expect(await code { try await store.getContent(hash) } == .corrupt)
    }

    @Test func `readers see whole objects while many writers replace them`() async throws {
        let path = try path("shared/object"), size = 200_000
        let store = store, root = fixture.root
        try await store.put([UInt8](repeating: 0, count: size), at: path)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for writer in 1...8 {
                group.addTask {
                    let other = try await ObjectStore(directory: root)
                    for round in 0..<5 {
                        try await other.put([UInt8](repeating: UInt8(writer * 10 + round), count: size), at: path)
                        try await other.put([1], at: ObjectPath("shared/\(writer)/\(round)"))
                    }
                    return true
                }
                group.addTask {
                    for _ in 0..<5 {
                        let bytes = try await store.get(path)
                        guard bytes.count == size, let first = bytes.first, bytes.allSatisfy({ $0 == first }) else { return false }
                    }
                    return true
                }
            }
            for try await whole in group { #expect(whole) }
        }
        #expect(try await store.list(prefix: "shared/").count == 41)
    }

    @Test func `an address that is no directory is refused`() async throws {
        #expect(await code { try await ObjectStore(url: "s3://bucket") } == .badSettings)
        #expect(await code { try await ObjectStore(url: "http://bucket") } == .invalidPath)
        #expect(await code { try await ObjectStore(url: "file:") } == .invalidPath)
        #expect(await code { try await ObjectStore(url: "file:" + fixture.folder + "/secret") } == .conflict)
        #expect(await code { try await ObjectStore(url: "file://" + fixture.folder + "/new") } == nil)
    }
}
