import Domain

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The blocking half of ``ObjectStore``: system calls relative to one open directory, never following a link.
final class ObjectDirectory: Sendable {
    private let root: Descriptor
    /// Files being written; on the root's file system, so that a rename moves no bytes.
    private let pending: Descriptor
    private let isDurable: Bool

    init(path: String, isDurable: Bool) throws(ObjectStoreError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made == "/" ? part : "/" + part
            if mkdir(made, 0o755) != 0, errno != EEXIST { throw .system("open", path: path) }
        }
        root = try Descriptor(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", path)
        if mkdirat(root.number, ObjectPath.reserved, 0o755) != 0, errno != EEXIST { throw .system("open", path: path) }
        pending = try Descriptor(openat(root.number, ObjectPath.reserved, Self.folderFlags), "open", path)
        self.isDurable = isDurable
        removeAbandoned()
    }

    private static var folderFlags: Int32 { O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC }

    func put(_ bytes: [UInt8], at path: ObjectPath) throws(ObjectStoreError) {
        let folder = try folder(of: path, "put", makes: true)
        let name = String(UInt64.random(in: .min ... .max), radix: 36)
        do throws(ObjectStoreError) {
            let file = try Descriptor(
                openat(pending.number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644), "put", path.description)
            try write(bytes, to: file, path)
            if isDurable, fsync(file.number) != 0 { throw .system("put", path: path.description) }
            guard renameat(pending.number, name, folder.number, path.leaf) == 0 else { throw .system("put", path: path.description) }
            if isDurable, fsync(folder.number) != 0 { throw .system("put", path: path.description) }
        } catch {
            unlinkat(pending.number, name, 0)
            throw error
        }
    }

    func get(_ path: ObjectPath, range: Range<Int64>?) throws(ObjectStoreError) -> [UInt8] {
        let folder = try folder(of: path, "get", makes: false)
        // A FIFO put there by someone must not block us.
        let file = try Descriptor(openat(folder.number, path.leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), "get", path.description)
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw .system("get", path: path.description) }
        try check(status, "get", path)
        let size = Int64(status.st_size)
        let range = range ?? 0..<size
        guard range.lowerBound >= 0, range.upperBound <= size else {
            throw ObjectStoreError(.outOfRange, "get", path: path.description, "bytes \(range) of \(size)")
        }
        return try read(range, of: file, path)
    }

    /// Bytes of an object, `nil` when there is none.
    func size(of path: ObjectPath) throws(ObjectStoreError) -> Int64? {
        do throws(ObjectStoreError) {
            let folder = try folder(of: path, "get", makes: false)
            var status = stat()
            guard fstatat(folder.number, path.leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw .system("get", path: path.description) }
            return status.st_mode & S_IFMT == S_IFREG ? Int64(status.st_size) : nil
        } catch  where error.code == .notFound || error.code == .conflict {
            return nil
        }
    }

    func delete(_ path: ObjectPath) throws(ObjectStoreError) -> Bool {
        guard try size(of: path) != nil else { return false }
        let folder = try folder(of: path, "delete", makes: false)
        if unlinkat(folder.number, path.leaf, 0) == 0 { return true }
        guard errno == ENOENT else { throw .system("delete", path: path.description) }
        return false
    }

    func list(prefix: String) throws(ObjectStoreError) -> [ObjectStore.Entry] {
        guard !prefix.utf8.contains(0), !prefix.hasPrefix("/"), !prefix.split(separator: "/").contains("..") else {
            throw ObjectStoreError(.invalidPath, "list", path: prefix, "no object's path starts like this")
        }
        // Walk only the folder that the prefix is sure to lie in.
        let base = prefix.lastIndex(of: "/").map { String(prefix[..<$0]) } ?? ""
        var entries: [ObjectStore.Entry] = []
        if base.isEmpty {
            try walk(root, "", prefix, &entries)
        } else {
            do throws(ObjectStoreError) {
                try walk(try folder(base.split(separator: "/"), "list", base, makes: false), base + "/", prefix, &entries)
            } catch  where error.code == .notFound || error.code == .conflict {
                return []
            }
        }
        return entries.sorted { $0.path < $1.path }
    }

    private func walk(
        _ folder: Descriptor, _ place: String, _ prefix: String, _ entries: inout [ObjectStore.Entry]
    ) throws(ObjectStoreError) {
        // The stream takes over the descriptor it is given.
        let copy = openat(folder.number, ".", Self.folderFlags)
        guard copy >= 0, let stream = fdopendir(copy) else { throw .system("list", path: place) }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(validatingCString: $0) }
            }
            guard let name, name != ".", name != "..", !(place.isEmpty && name == ObjectPath.reserved) else { continue }
            let path = place + name
            guard path.hasPrefix(prefix) || prefix.hasPrefix(path) else { continue }
            var status = stat()
            // Gone since: deleted by another.
            guard fstatat(folder.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                let number = openat(folder.number, name, Self.folderFlags)
                if number >= 0 { try walk(try Descriptor(number, "list", path), path + "/", prefix, &entries) }
            case S_IFREG where path.hasPrefix(prefix):
                let modified = Int64(status.st_mtim.tv_sec) * 1_000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
                entries.append(.init(path: ObjectPath(unchecked: path), byteCount: Int64(status.st_size), modifiedAt: modified))
            default: continue
            }
        }
    }

    private func folder(of path: ObjectPath, _ operation: String, makes: Bool) throws(ObjectStoreError) -> Descriptor {
        try folder(path.parts.dropLast().map { $0 }, operation, path.description, makes: makes)
    }

    /// Opens folder after folder, each relative to the one before, so no link can be slipped in on the way.
    private func folder(
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

    private func read(_ range: Range<Int64>, of file: Descriptor, _ path: ObjectPath) throws(ObjectStoreError) -> [UInt8] {
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

    /// Removes what a killed process was writing: anything of an age that no write reaches.
    private func removeAbandoned() {
        let copy = openat(pending.number, ".", Self.folderFlags)
        guard copy >= 0, let stream = fdopendir(copy) else { return }
        defer { closedir(stream) }
        let dayAgo = time(nil) - 86_400
        while let entry = readdir(stream) {
            var status = stat()
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            guard fstatat(pending.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mtim.tv_sec < dayAgo else { continue }
            unlinkat(pending.number, name, 0)
        }
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
