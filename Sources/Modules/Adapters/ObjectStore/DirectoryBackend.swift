import Dispatch

/// Objects as plain files. Disk calls block, so they run on a few lanes of their own, chosen by path.
struct DirectoryBackend: ObjectBackend {
    private let directory: ObjectDirectory

    init(path: String, isDurable: Bool) async throws(ObjectStoreError) {
        directory = try await Self.onDisk(0) { () throws(ObjectStoreError) in try ObjectDirectory(path: path, isDurable: isDurable) }
    }

    func put(_ bytes: [UInt8], at path: ObjectPath) async throws(ObjectStoreError) {
        try await run(path) { directory throws(ObjectStoreError) in try directory.put(bytes, at: path) }
    }

    func get(_ path: ObjectPath, range: Range<Int64>?) async throws(ObjectStoreError) -> [UInt8] {
        try await run(path) { directory throws(ObjectStoreError) in try directory.get(path, range: range) }
    }

    func entry(_ path: ObjectPath) async throws(ObjectStoreError) -> ObjectStore.Entry? {
        try await run(path) { directory throws(ObjectStoreError) in try directory.entry(path) }
    }

    /// One open file for all pieces: who renames another over it changes nothing of what is read.
    func read(_ entry: ObjectStore.Entry, _ range: Range<Int64>, _ take: ([UInt8]) async throws -> Void) async throws {
        let path = entry.path, descriptor = try await descriptor(of: entry)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: ObjectStore.pieceBytes) {
            let part = start..<min(range.upperBound, start + Int64(ObjectStore.pieceBytes))
            try await take(
                try await run(path) { directory throws(ObjectStoreError) in try directory.read(part, of: descriptor, path) })
        }
    }

    private func descriptor(of entry: ObjectStore.Entry) async throws(ObjectStoreError) -> Descriptor {
        if let descriptor = entry.held.descriptor { return descriptor }
        let path = entry.path
        let file = try await run(path) { directory throws(ObjectStoreError) in try directory.open(path) }
        guard file.entry.tag == entry.tag else {
            throw ObjectStoreError(.corrupt, "get", path: path.description, "it was replaced meanwhile", isTransient: true)
        }
        return file.descriptor
    }

    func open(_ path: ObjectPath) async throws(ObjectStoreError) -> ObjectStore.Entry? {
        try await run(path) { directory throws(ObjectStoreError) in
            guard try directory.entry(path) != nil else { return nil }
            var (descriptor, entry) = try directory.open(path)
            entry.held = .init(descriptor)
            return entry
        }
    }

    func delete(_ path: ObjectPath) async throws(ObjectStoreError) -> Bool {
        try await run(path) { directory throws(ObjectStoreError) in try directory.delete(path) }
    }

    func deleteAll(prefix: String) async throws(ObjectStoreError) {
        for entry in try await list(prefix: prefix) { _ = try await delete(entry.path) }
    }

    func list(prefix: String) async throws(ObjectStoreError) -> [ObjectStore.Entry] {
        let directory = directory
        return try await Self.onDisk(0) { () throws(ObjectStoreError) in try directory.list(prefix: prefix) }
    }

    func children(of folder: String) async throws(ObjectStoreError) -> [ObjectStore.Child] {
        let directory = directory
        return try await Self.onDisk(0) { () throws(ObjectStoreError) in try directory.children(of: folder) }
    }

    func upload(_ path: ObjectPath) async throws(ObjectStoreError) -> any ObjectUpload {
        let file = try await run(path) { directory throws(ObjectStoreError) in try directory.beginUpload(path) }
        return FileUpload(file)
    }

    func leftovers(before time: Int64, removes: Bool) async throws(ObjectStoreError) -> [ObjectStore.Leftover] {
        let directory = directory
        return try await Self.onDisk(0) { () throws(ObjectStoreError) in try directory.pendingFiles(before: time, removes: removes) }
    }

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
        try await lanes[Int(UInt(bitPattern: lane) % UInt(lanes.count))].run(body)
    }
}

extension DispatchQueue {
    /// Waits for a body that blocks.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        let result: Result<Value, ObjectStoreError> = await withCheckedContinuation { continuation in
            async {
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
