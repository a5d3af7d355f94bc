/// What keeps the objects of a store: a directory, or a bucket.
protocol ObjectBackend: Sendable {
    func put(_ bytes: [UInt8], at path: ObjectPath) async throws(ObjectStoreError)

    /// The bytes of an object, or those of a range of it.
    func get(_ path: ObjectPath, range: Range<Int64>?) async throws(ObjectStoreError) -> [UInt8]

    /// `nil` when there is no such object.
    func entry(_ path: ObjectPath) async throws(ObjectStoreError) -> ObjectStore.Entry?

    /// The entry of an object, held open where that is possible; `nil` when there is no such object.
    func open(_ path: ObjectPath) async throws(ObjectStoreError) -> ObjectStore.Entry?

    /// Hands over a range of an object piece by piece, each at most ``ObjectStore/pieceBytes`` long, and waits for the taker.
    /// - Throws: ``ObjectStoreError``, or what `take` throws.
    func read(_ entry: ObjectStore.Entry, _ range: Range<Int64>, _ take: ([UInt8]) async throws -> Void) async throws

    func delete(_ path: ObjectPath) async throws(ObjectStoreError) -> Bool

    /// Removes every object whose path starts with these characters.
    func deleteAll(prefix: String) async throws(ObjectStoreError)

    /// Sorted byte by byte.
    func list(prefix: String) async throws(ObjectStoreError) -> [ObjectStore.Entry]

    /// What lies directly in a folder, sorted by name.
    /// - Parameter folder: Empty for the root, else without a slash at its end.
    func children(of folder: String) async throws(ObjectStoreError) -> [ObjectStore.Child]

    func upload(_ path: ObjectPath) async throws(ObjectStoreError) -> any ObjectUpload

    /// What uploads have left behind that were neither finished nor given up, begun before a moment.
    func leftovers(before time: Int64, removes: Bool) async throws(ObjectStoreError) -> [ObjectStore.Leftover]
}

extension ObjectBackend {
    func open(_ path: ObjectPath) async throws(ObjectStoreError) -> ObjectStore.Entry? { try await entry(path) }
}

/// An object that is being received: it appears under its name when it is finished, whole, and replaces what was there.
///
/// Calls follow one another. Who begins one ends it, with ``finish()`` or ``abandon()``.
package protocol ObjectUpload: Sendable {
    func write(_ bytes: [UInt8]) async throws(ObjectStoreError)

    func finish() async throws(ObjectStoreError)

    /// Removes what was received; does nothing once it is finished.
    func abandon() async throws(ObjectStoreError)
}
