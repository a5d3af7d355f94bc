package import Domain

/// Named byte strings: artefacts, archives, snapshots. They lie in a directory, or in a bucket that speaks Amazon S3's protocol.
///
/// An object appears whole or not at all, and a reader that began with the old bytes ends with the old bytes or an error. Any
/// number of tasks and processes may use one store. No path leads out of it. In a directory symbolic links are refused, and a
/// path cannot be an object and a folder of objects at once.
package struct ObjectStore: Sendable {
    /// What an object survives once ``put(_:at:)`` has returned. A bucket decides that itself.
    package enum Durability: String, Sendable, CaseIterable { case processKill, powerLoss }

    /// One line of a listing.
    package struct Entry: Sendable, Hashable {
        package let path: ObjectPath
        package let byteCount: Int64
        package let modifiedAt: EventTime.Milliseconds
        /// Another one when the object holds other bytes; safe inside quotes.
        package let tag: String
        var held = Held(nil)

        /// What keeps an object open; entries are equal whatever they hold.
        struct Held: Sendable, Hashable {
            let descriptor: Descriptor?

            init(_ descriptor: Descriptor?) { self.descriptor = descriptor }

            static func == (one: Held, other: Held) -> Bool { true }
            func hash(into hasher: inout Hasher) {}
        }
    }

    /// What a folder holds: one name.
    package struct Child: Sendable, Hashable {
        package let name: String
        package let isFolder: Bool
        /// 0 for a folder.
        package let byteCount: Int64

        package init(name: String, isFolder: Bool, byteCount: Int64) {
            self.name = name
            self.isFolder = isFolder
            self.byteCount = byteCount
        }
    }

    /// An upload that nobody has ended.
    package struct Leftover: Sendable, Hashable {
        /// The object it was to become; a directory keeps only the name of the pending file.
        package let name: String
        package let begunAt: EventTime.Milliseconds
    }

    /// How much of an object is handed over at once.
    package static let pieceBytes = 1 << 20

    private let backend: any ObjectBackend

    init(backend: any ObjectBackend) { self.backend = backend }

    /// Opens a store. A directory is made if it is not there; a bucket must be, and is asked for.
    /// - Parameters:
    ///   - url: `file:DIR`, absolute or relative to the working directory, or `s3://BUCKET/PREFIX`.
    ///   - s3: How to reach a bucket; needed for `s3:`.
    package init(url: String, durability: Durability = .processKill, s3: S3Options? = nil) async throws(ObjectStoreError) {
        if url.hasPrefix("s3:") {
            let place = try S3Place(url: url)
            guard let s3 else { throw ObjectStoreError(.badSettings, "open", path: url, "nothing says how to reach a bucket") }
            let bucket = S3Bucket(place: place, client: try S3Client(bucket: place.bucket, options: s3))
            try await bucket.check()
            self.init(backend: bucket)
            return
        }
        guard url.hasPrefix("file:") else {
            throw ObjectStoreError(.invalidPath, "open", path: url, "an object store's address starts with file: or s3://")
        }
        let path = url.dropFirst(url.hasPrefix("file://") ? 7 : 5)
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw ObjectStoreError(.invalidPath, "open", path: url, "it names no directory")
        }
        try await self.init(directory: String(path), durability: durability)
    }

    package init(directory path: String, durability: Durability = .processKill) async throws(ObjectStoreError) {
        self.init(backend: try await DirectoryBackend(path: path, isDurable: durability == .powerLoss))
    }

    package func put(_ bytes: [UInt8], at path: ObjectPath) async throws(ObjectStoreError) { try await backend.put(bytes, at: path) }

    package func get(_ path: ObjectPath) async throws(ObjectStoreError) -> [UInt8] { try await backend.get(path, range: nil) }

    /// Part of an object.
    /// - Parameter range: Byte offsets inside the object, else the error is `outOfRange`.
    package func get(_ path: ObjectPath, range: Range<Int64>) async throws(ObjectStoreError) -> [UInt8] {
        guard range.lowerBound >= 0 else { throw ObjectStoreError(.outOfRange, "get", path: path.description, "bytes \(range)") }
        return try await backend.get(path, range: range)
    }

    /// Size, time and tag of an object; `nil` when there is none.
    package func entry(_ path: ObjectPath) async throws(ObjectStoreError) -> Entry? { try await backend.entry(path) }

    /// The same, and the object stays open: a directory's is read as it is now, whoever replaces it meanwhile.
    package func open(_ path: ObjectPath) async throws(ObjectStoreError) -> Entry? { try await backend.open(path) }

    package func exists(_ path: ObjectPath) async throws(ObjectStoreError) -> Bool { try await backend.entry(path) != nil }

    /// Hands over a range of an object piece by piece and waits for the taker, so that no more than a piece is in memory.
    /// - Parameters:
    ///   - range: Inside the object.
    ///   - take: Gets at most ``pieceBytes`` at once.
    /// - Throws: ``ObjectStoreError``, with code `corrupt` when the object was replaced meanwhile; or what `take` throws.
    package func read(_ entry: Entry, _ range: Range<Int64>, _ take: ([UInt8]) async throws -> Void) async throws {
        guard range.lowerBound >= 0, range.upperBound <= entry.byteCount else {
            throw ObjectStoreError(.outOfRange, "get", path: entry.path.description, "bytes \(range) of \(entry.byteCount)")
        }
        guard !range.isEmpty else { return }
        try await backend.read(entry, range, take)
    }

    /// - Returns: Whether there was such an object.
    @discardableResult
    package func delete(_ path: ObjectPath) async throws(ObjectStoreError) -> Bool { try await backend.delete(path) }

    /// Removes every object whose path starts with these characters.
    package func deleteAll(prefix: String) async throws(ObjectStoreError) { try await backend.deleteAll(prefix: prefix) }

    /// The objects whose paths start with these characters, sorted byte by byte. `models/a` finds `models/a/x` and `models/ab`.
    package func list(prefix: String = "") async throws(ObjectStoreError) -> [Entry] { try await backend.list(prefix: prefix) }

    /// What lies directly in a folder, sorted by name; the root for `nil`.
    package func children(of folder: ObjectPath?) async throws(ObjectStoreError) -> [Child] {
        try await backend.children(of: folder?.description ?? "")
    }

    /// Begins an object that comes in pieces; see ``ObjectUpload``.
    package func upload(_ path: ObjectPath) async throws(ObjectStoreError) -> any ObjectUpload { try await backend.upload(path) }

    /// What uploads have left behind that were neither finished nor given up, as those of a killed process.
    /// - Parameters:
    ///   - time: Younger ones may still be under way and are left out.
    ///   - removes: Removes them too.
    package func leftovers(
        before time: EventTime.Milliseconds, removes: Bool = false
    ) async throws(ObjectStoreError) -> [Leftover] {
        try await backend.leftovers(before: time, removes: removes)
    }

    // MARK: Content addresses

    /// Where bytes of this digest are stored: `sha256/ab/abcd…`.
    package static func path(of hash: ContentHash) -> ObjectPath { ObjectPath(unchecked: "sha256/\(hash.hex.prefix(2))/\(hash.hex)") }

    /// Stores bytes under their SHA-256; bytes that are already there are not written again.
    package func putContent(_ bytes: [UInt8]) async throws(ObjectStoreError) -> ContentHash {
        let hash = ContentHash(of: bytes)
        let path = Self.path(of: hash)
        if try await backend.entry(path)?.byteCount != Int64(bytes.count) { try await backend.put(bytes, at: path) }
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
}

extension ObjectPath {
    /// For text that is known to be a path.
    init(unchecked text: String) { description = text }
}
