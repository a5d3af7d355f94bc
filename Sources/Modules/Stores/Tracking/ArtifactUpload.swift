import Dispatch
import ObjectStore

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A file that is being received: it grows under a name of its own and takes its place by a rename.
///
/// Given up before ``finish()`` it leaves nothing behind but, after a crash, a file in `.part` that the store removes.
package final class ArtifactUpload: @unchecked Sendable {
    // Calls follow one another; each touches the file on the queue.
    private let queue = DispatchQueue(label: "artifact-upload")
    private let root: Int32
    private let pending: Int32
    private let file: Int32
    private let name: String
    private let path: ObjectPath
    private var isFinished = false
    private var unchecked = checkedBytes

    private init(root: Int32, pending: Int32, file: Int32, name: String, path: ObjectPath) {
        self.root = root
        self.pending = pending
        self.file = file
        self.name = name
        self.path = path
    }

    deinit {
        if !isFinished { unlinkat(pending, name, 0) }
        for descriptor in [file, pending, root] { close(descriptor) }
    }

    private static let folderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    static func begin(root: String, path: ObjectPath) async throws(TrackingError) -> ArtifactUpload {
        try await onDisk(.global()) { () throws(TrackingError) in
            let rootFolder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard rootFolder >= 0 else { throw failure(path) }
            _ = mkdirat(rootFolder, ".part", 0o755)
            let pending = openat(rootFolder, ".part", folderFlags)
            let name = "upload-" + String(UInt64.random(in: .min ... .max), radix: 36)
            let file = pending < 0 ? -1 : openat(pending, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
            guard file >= 0 else {
                let error = failure(path)
                close(rootFolder)
                if pending >= 0 { close(pending) }
                throw error
            }
            return ArtifactUpload(root: rootFolder, pending: pending, file: file, name: name, path: path)
        }
    }

    package func write(_ bytes: [UInt8]) async throws(TrackingError) {
        try await Self.onDisk(queue) { [self] () throws(TrackingError) in
            try checkSpace(for: bytes.count)
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes { source in
                    Glibc.write(file, source.baseAddress.map { $0 + written }, source.count - written)
                }
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw Self.failure(path) }
                written += count
            }
        }
    }

    /// Uploads stop while the database that shares the disk can still be written.
    private static let reservedBytes = 256 << 20
    /// How often the free space is looked at.
    private static let checkedBytes = 16 << 20

    private func checkSpace(for count: Int) throws(TrackingError) {
        unchecked += count
        guard unchecked >= Self.checkedBytes else { return }
        unchecked = 0
        var disk = statvfs()
        guard fstatvfs(file, &disk) == 0 else { throw Self.failure(path) }
        let free = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
        guard free.overflow || free.partialValue > UInt64(Self.reservedBytes) else {
            throw TrackingError(.unavailable, "cannot store '\(path)': the disk is nearly full")
        }
    }

    /// Gives the file its name. What was there before is replaced.
    package func finish() async throws(TrackingError) {
        try await Self.onDisk(queue) { [self] () throws(TrackingError) in
            let parts = path.description.split(separator: "/")
            var folder = dup(root)
            defer { close(folder) }
            // Folder after folder, each relative to the one before: no link can be slipped in on the way.
            for part in parts.dropLast() {
                let name = String(part)
                if mkdirat(folder, name, 0o755) != 0, errno != EEXIST { throw Self.failure(path) }
                let next = openat(folder, name, Self.folderFlags)
                guard next >= 0 else { throw Self.failure(path) }
                close(folder)
                folder = next
            }
            guard renameat(pending, name, folder, String(parts[parts.count - 1])) == 0 else { throw Self.failure(path) }
            isFinished = true
        }
    }

    /// Removes what was received. Without it, the last reference that goes does.
    package func abandon() async throws(TrackingError) {
        try await Self.onDisk(queue) { [self] () throws(TrackingError) in
            guard !isFinished else { return }
            unlinkat(pending, name, 0)
            isFinished = true
        }
    }

    /// Of the system call just made.
    private static func failure(_ path: ObjectPath) -> TrackingError {
        let number = errno
        let reason = String(cString: strerror(number))
        return switch number {
        case ENOSPC, EDQUOT, EMFILE, ENFILE: TrackingError(.unavailable, "cannot store '\(path)': \(reason)")
        case ENOTDIR, EISDIR, ELOOP, EEXIST, ENOTEMPTY: TrackingError(.invalidParameter, "Invalid path: \(reason)")
        default: TrackingError(.internalError, "cannot store '\(path)': \(reason)")
        }
    }

    private static func onDisk<Value: Sendable>(
        _ queue: DispatchQueue, _ body: @escaping @Sendable () throws(TrackingError) -> Value
    ) async throws(TrackingError) -> Value {
        let result: Result<Value, TrackingError> = await withCheckedContinuation { continuation in
            queue.async {
                do throws(TrackingError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
