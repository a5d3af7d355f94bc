import Dispatch

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A file that is being received: it grows under a name of its own and takes its place by a rename.
///
/// Given up before ``finish()`` it leaves nothing behind but, after a crash, a file in `.part` that the store removes.
final class FileUpload: ObjectUpload, @unchecked Sendable {
    // Calls follow one another; each touches the file on the queue.
    private let queue = DispatchQueue(label: "object-upload")
    private let file: ObjectDirectory.PendingFile
    private let reservedBytes: Int
    private var isFinished = false
    private var unchecked = checkedBytes

    /// - Parameter reservedBytes: Uploads stop while so much of the disk is left: the database that shares it can still be
    ///   written then.
    init(_ file: ObjectDirectory.PendingFile, reservedBytes: Int = 256 << 20) {
        self.file = file
        self.reservedBytes = reservedBytes
    }

    deinit {
        if !isFinished { file.remove() }
    }

    func write(_ bytes: [UInt8]) async throws(ObjectStoreError) {
        try await queue.run { [self] () throws(ObjectStoreError) in
            try checkSpace(for: bytes.count)
            try file.write(bytes)
        }
    }

    /// How often the free space is looked at.
    private static let checkedBytes = 16 << 20

    private func checkSpace(for count: Int) throws(ObjectStoreError) {
        unchecked += count
        guard unchecked >= Self.checkedBytes else { return }
        unchecked = 0
        guard try file.freeBytes() > UInt64(reservedBytes) else {
            throw ObjectStoreError(.io, "put", path: file.path.description, "the disk is nearly full", number: ENOSPC)
        }
    }

    func finish() async throws(ObjectStoreError) {
        try await queue.run { [self] () throws(ObjectStoreError) in
            try file.commit()
            isFinished = true
        }
    }

    func abandon() async throws(ObjectStoreError) {
        try await queue.run { [self] () throws(ObjectStoreError) in
            guard !isFinished else { return }
            file.remove()
            isFinished = true
        }
    }
}
