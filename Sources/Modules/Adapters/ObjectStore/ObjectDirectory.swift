import Domain

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The blocking half of ``ObjectStore``: system calls relative to one open directory, never following a link.
final class ObjectDirectory: Sendable {
    let root: Descriptor
    /// Files being written; on the root's file system, so that a rename moves no bytes.
    let pending: Descriptor
    private let isDurable: Bool

    init(path: String, isDurable: Bool) throws(ObjectStoreError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made == "/" ? part : "/" + part
            if mkdir(made, 0o755) != 0, errno != EEXIST { throw .system("open", path: path) }
        }
        root = try Descriptor(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", path)
        if mkdirat(root.number, ObjectPath.reserved, 0o755) != 0, errno != EEXIST { throw .system("open", path: path) }
        pending = try Descriptor(openat(root.number, ObjectPath.reserved, Self.folderFlags), "open", path)
        self.isDurable = isDurable
        // What a killed process was writing: anything of an age that no write reaches.
        _ = try? pendingFiles(before: (Int64(time(nil)) - 86_400) * 1_000, removes: true)
    }

    static var folderFlags: Int32 { O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC }

    func put(_ bytes: [UInt8], at path: ObjectPath) throws(ObjectStoreError) {
        // Refused before a byte is written when the path passes through something that is no folder.
        _ = try folder(of: path, "put", makes: true)
        let file = try beginUpload(path)
        do throws(ObjectStoreError) {
            try file.write(bytes)
            try file.commit()
        } catch {
            file.remove()
            throw error
        }
    }

    func beginUpload(_ path: ObjectPath) throws(ObjectStoreError) -> PendingFile {
        let name = String(UInt64.random(in: .min ... .max), radix: 36)
        let file = try Descriptor(
            openat(pending.number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644), "put", path.description)
        return PendingFile(directory: self, descriptor: file, name: name, path: path)
    }

    /// A file in `.part`.
    struct PendingFile: Sendable {
        fileprivate let directory: ObjectDirectory
        fileprivate let descriptor: Descriptor
        fileprivate let name: String
        let path: ObjectPath

        func write(_ bytes: [UInt8]) throws(ObjectStoreError) { try directory.write(bytes, to: descriptor, path) }

        /// Gives the file its name. What was there before is replaced.
        func commit() throws(ObjectStoreError) {
            let isDurable = directory.isDurable
            let folder = try directory.folder(of: path, "put", makes: true)
            if isDurable, fsync(descriptor.number) != 0 { throw .system("put", path: path.description) }
            guard renameat(directory.pending.number, name, folder.number, path.leaf) == 0 else {
                throw .system("put", path: path.description)
            }
            if isDurable, fsync(folder.number) != 0 { throw .system("put", path: path.description) }
        }

        func remove() { unlinkat(directory.pending.number, name, 0) }

        func freeBytes() throws(ObjectStoreError) -> UInt64 {
            var disk = statvfs()
            guard fstatvfs(descriptor.number, &disk) == 0 else { throw .system("put", path: path.description) }
            let free = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize))
            return free.overflow ? .max : free.partialValue
        }
    }

    func get(_ path: ObjectPath, range: Range<Int64>?) throws(ObjectStoreError) -> [UInt8] {
        let file = try open(path)
        let range = range ?? 0..<file.entry.byteCount
        guard range.lowerBound >= 0, range.upperBound <= file.entry.byteCount else {
            throw ObjectStoreError(.outOfRange, "get", path: path.description, "bytes \(range) of \(file.entry.byteCount)")
        }
        return try read(range, of: file.descriptor, path)
    }

    func open(_ path: ObjectPath) throws(ObjectStoreError) -> (descriptor: Descriptor, entry: ObjectStore.Entry) {
        let folder = try folder(of: path, "get", makes: false)
        // A FIFO put there by someone must not block us.
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
        let file = try Descriptor(openat(folder.number, path.leaf, flags), "get", path.description)
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw .system("get", path: path.description) }
        try check(status, "get", path)
        return (file, Self.entry(path, status))
    }

    /// `nil` when there is no such object.
    func entry(_ path: ObjectPath) throws(ObjectStoreError) -> ObjectStore.Entry? {
        do throws(ObjectStoreError) {
            let folder = try folder(of: path, "get", makes: false)
            var status = stat()
            guard fstatat(folder.number, path.leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw .system("get", path: path.description) }
            return status.st_mode & S_IFMT == S_IFREG ? Self.entry(path, status) : nil
        } catch  where error.code == .notFound || error.code == .conflict {
            return nil
        }
    }

    static func entry(_ path: ObjectPath, _ status: stat) -> ObjectStore.Entry {
        let modified = Int64(status.st_mtim.tv_sec) * 1_000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
        let size = Int64(status.st_size)
        let tag = String(size, radix: 36) + "-" + String(modified, radix: 36)
        return ObjectStore.Entry(path: path, byteCount: size, modifiedAt: modified, tag: tag)
    }

    func delete(_ path: ObjectPath) throws(ObjectStoreError) -> Bool {
        guard try entry(path) != nil else { return false }
        let folder = try folder(of: path, "delete", makes: false)
        if unlinkat(folder.number, path.leaf, 0) == 0 { return true }
        guard errno == ENOENT else { throw .system("delete", path: path.description) }
        return false
    }

    private func folder(of path: ObjectPath, _ operation: String, makes: Bool) throws(ObjectStoreError) -> Descriptor {
        try folder(path.parts.dropLast().map { $0 }, operation, path.description, makes: makes)
    }

    /// Opens folder after folder, each relative to the one before, so no link can be slipped in on the way.
    func folder(
        _ parts: [Substring], _ operation: String, _ path: String, makes: Bool
    ) throws(ObjectStoreError) -> Descriptor {
        var folder = root
        for part in parts {
            let name = String(part)
            if makes, mkdirat(folder.number, name, 0o755) == 0 {
                if isDurable { fsync(folder.number) }
            } else if makes, errno != EEXIST {
                throw .system(operation, path: path)
            }
            folder = try Descriptor(openat(folder.number, name, Self.folderFlags), operation, path)
        }
        return folder
    }

    private func check(_ status: stat, _ operation: String, _ path: ObjectPath) throws(ObjectStoreError) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: throw .system(operation, path: path.description, EISDIR)
        default: throw ObjectStoreError(.notAnObject, operation, path: path.description, "it is not a regular file")
        }
    }

    private func write(_ bytes: [UInt8], to file: Descriptor, _ path: ObjectPath) throws(ObjectStoreError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { source in
                #if canImport(Glibc)
                Glibc.write(file.number, source.baseAddress.map { $0 + written }, bytes.count - written)
                #else
                Darwin.write(file.number, source.baseAddress.map { $0 + written }, bytes.count - written)
                #endif
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("put", path: path.description) }
            written += count
        }
    }

    func read(_ range: Range<Int64>, of file: Descriptor, _ path: ObjectPath) throws(ObjectStoreError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(range.count)) { buffer, filled in
            while filled < range.count {
                let count = pread(
                    file.number, buffer.baseAddress.map { $0 + filled }, Int(range.count) - filled, off_t(range.lowerBound) + off_t(filled))
                if count < 0, errno == EINTR { continue }
                if count < 0 { failure = errno }
                guard count > 0 else { return }
                filled += count
            }
        }
        guard failure == 0 else { throw .system("get", path: path.description, failure) }
        guard bytes.count == range.count else {
            throw ObjectStoreError(.io, "get", path: path.description, "it ended after \(bytes.count) of \(range.count) bytes")
        }
        return bytes
    }
}

extension ObjectPath {
    var leaf: String { parts.last.map { String($0) } ?? description }
}

/// An open file or folder; closed with its last owner.
final class Descriptor: Sendable {
    let number: Int32

    /// - Parameter number: What `open` returned; negative is an error.
    init(_ number: Int32, _ operation: String, _ path: String) throws(ObjectStoreError) {
        guard number >= 0 else { throw .system(operation, path: path) }
        self.number = number
    }

    deinit { close(number) }
}
