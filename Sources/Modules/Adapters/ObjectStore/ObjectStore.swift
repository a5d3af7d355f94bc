import Dispatch
package import Domain

/// Named byte strings in a directory: artefacts, archives, snapshots.
///
/// An object appears whole or not at all: it is written beside the others and renamed, and a reader that began with the
/// old bytes ends with the old bytes. Any number of tasks and processes may use one directory. No path leaves it, also
/// not through symbolic links, which are refused. A path cannot be an object and a folder of objects at once.
package struct ObjectStore: Sendable {
    /// What an object survives once ``put(_:at:)`` has returned.
    package enum Durability: String, Sendable, CaseIterable { case processKill, powerLoss }

    /// One line of a listing.
    package struct Entry: Sendable, Hashable {
        package let path: ObjectPath
        package let byteCount: Int64
        package let modifiedAt: EventTime.Milliseconds
    }

    private let directory: ObjectDirectory

    /// Opens a store, making its directory if it is not there.
    /// - Parameter url: `file:DIR`, absolute or relative to the working directory.
    package init(url: String, durability: Durability = .processKill) async throws(ObjectStoreError) {
        guard url.hasPrefix("file:") else {
            throw ObjectStoreError(.invalidPath, "open", path: url, "an object store's address starts with file:")
        }
        let path = url.dropFirst(url.hasPrefix("file://") ? 7 : 5)
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw ObjectStoreError(.invalidPath, "open", path: url, "it names no directory")
        }
        try await self.init(directory: String(path), durability: durability)
    }

    package init(directory path: String, durability: Durability = .processKill) async throws(ObjectStoreError) {
        directory = try await Self.onDisk(0) { () throws(ObjectStoreError) in
            try ObjectDirectory(path: path, isDurable: durability == .powerLoss)
        }
    }

    package func put(_ bytes: [UInt8], at path: ObjectPath) async throws(ObjectStoreError) {
        try await run(path) { directory throws(ObjectStoreError) in try directory.put(bytes, at: path) }
    }

    package func get(_ path: ObjectPath) async throws(ObjectStoreError) -> [UInt8] {
        try await run(path) { directory throws(ObjectStoreError) in try directory.get(path, range: nil) }
    }

    /// Part of an object.
    /// - Parameter range: Byte offsets inside the object, else the error is `outOfRange`.
    package func get(_ path: ObjectPath, range: Range<Int64>) async throws(ObjectStoreError) -> [UInt8] {
        try await run(path) { directory throws(ObjectStoreError) in try directory.get(path, range: range) }
    }

    package func exists(_ path: ObjectPath) async throws(ObjectStoreError) -> Bool {
        try await run(path) { directory throws(ObjectStoreError) in try directory.size(of: path) != nil }
    }

    /// - Returns: Whether there was such an object.
    @discardableResult
    package func delete(_ path: ObjectPath) async throws(ObjectStoreError) -> Bool {
        try await run(path) { directory throws(ObjectStoreError) in try directory.delete(path) }
    }

    /// The objects whose paths start with these characters, sorted byte by byte. `models/a` finds `models/a/x` and `models/ab`.
    package func list(prefix: String = "") async throws(ObjectStoreError) -> [Entry] {
        let directory = directory
        return try await Self.onDisk(0) { () throws(ObjectStoreError) in try directory.list(prefix: prefix) }
    }

    // MARK: Content addresses

    /// Where bytes of this digest are stored: `sha256/ab/abcd…`.
    package static func path(of hash: ContentHash) -> ObjectPath { ObjectPath(unchecked: "sha256/\(hash.hex.prefix(2))/\(hash.hex)") }

    /// Stores bytes under their SHA-256; bytes that are already there are not written again.
    package func putContent(_ bytes: [UInt8]) async throws(ObjectStoreError) -> ContentHash {
        let hash = ContentHash(of: bytes)
        let path = Self.path(of: hash)
        try await run(path) { directory throws(ObjectStoreError) in
            if try directory.size(of: path) != Int64(bytes.count) { try directory.put(bytes, at: path) }
        }
        return hash
    }

    /// - Throws: ``ObjectStoreError`` with code `corrupt` when the stored bytes have another digest.
    package func getContent(_ hash: ContentHash) async throws(ObjectStoreError) -> [UInt8] {
        let path = Self.path(of: hash)
        let bytes = try await get(path)
        guard ContentHash(of: bytes) == hash else {
            throw ObjectStoreError(.corrupt, "get", path: path.description, "its bytes have another SHA-256")
        }
        return bytes
    }

    // MARK: Off the cooperative pool

    /// Disk calls block, so they run here: a few lanes, chosen by path.
    private static let lanes = (0..<4).map { DispatchQueue(label: "object-store-\($0)") }

    private func run<Result: Sendable>(
        _ path: ObjectPath, _ body: @escaping @Sendable (ObjectDirectory) throws(ObjectStoreError) -> Result
    ) async throws(ObjectStoreError) -> Result {
        let directory = directory
        return try await Self.onDisk(path.hashValue) { () throws(ObjectStoreError) in try body(directory) }
    }

    private static func onDisk<Value: Sendable>(
        _ lane: Int, _ body: @escaping @Sendable () throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        let result: Result<Value, ObjectStoreError> = await withCheckedContinuation { continuation in
            lanes[Int(UInt(bitPattern: lane) % UInt(lanes.count))].async {
                do throws(ObjectStoreError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}

extension ObjectPath {
    /// For text that is known to be a path.
    init(unchecked text: String) { description = text }
}
