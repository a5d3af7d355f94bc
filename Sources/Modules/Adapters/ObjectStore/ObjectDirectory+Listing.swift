#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

extension ObjectDirectory {
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
        try each(of: folder, place) { name, status throws(ObjectStoreError) in
            let path = place + name
            guard !(place.isEmpty && name == ObjectPath.reserved), path.hasPrefix(prefix) || prefix.hasPrefix(path) else { return }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                let number = openat(folder.number, name, Self.folderFlags)
                if number >= 0 { try walk(try Descriptor(number, "list", path), path + "/", prefix, &entries) }
            case S_IFREG where path.hasPrefix(prefix): entries.append(Self.entry(ObjectPath(unchecked: path), status))
            default: break
            }
        }
    }

    /// What lies directly in a folder; folders without an object somewhere in them are left out, as a bucket has none.
    func children(of folder: String) throws(ObjectStoreError) -> [ObjectStore.Child] {
        let place = folder.isEmpty ? "" : folder + "/"
        let descriptor: Descriptor
        do throws(ObjectStoreError) {
            descriptor = folder.isEmpty ? root : try self.folder(folder.split(separator: "/"), "list", folder, makes: false)
        } catch  where error.code == .notFound || error.code == .conflict {
            return []
        }
        var children: [ObjectStore.Child] = []
        try each(of: descriptor, place) { name, status throws(ObjectStoreError) in
            guard !(folder.isEmpty && name == ObjectPath.reserved) else { return }
            switch status.st_mode & S_IFMT {
            case S_IFDIR where try holdsObject(place + name): children.append(.init(name: name, isFolder: true, byteCount: 0))
            case S_IFREG: children.append(.init(name: name, isFolder: false, byteCount: Int64(status.st_size)))
            default: break
            }
        }
        return children.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// Stops at the first object, so a tree costs no more than the way to it.
    private func holdsObject(_ folder: String) throws(ObjectStoreError) -> Bool {
        guard let descriptor = try? self.folder(folder.split(separator: "/"), "list", folder, makes: false) else { return false }
        var folders: [String] = [], found = false
        try each(of: descriptor, folder) { name, status throws(ObjectStoreError) in
            switch status.st_mode & S_IFMT {
            case S_IFREG: found = true
            case S_IFDIR: folders.append(folder + "/" + name)
            default: break
            }
        }
        if found { return true }
        for each in folders where try holdsObject(each) { return true }
        return false
    }

    /// Files being written that were last touched before a moment, in milliseconds since the Unix epoch.
    func pendingFiles(before time: Int64, removes: Bool) throws(ObjectStoreError) -> [ObjectStore.Leftover] {
        var found: [ObjectStore.Leftover] = []
        try each(of: pending, ObjectPath.reserved) { name, status throws(ObjectStoreError) in
            let touched = Int64(status.st_mtim.tv_sec) * 1_000
            guard status.st_mode & S_IFMT == S_IFREG, touched < time else { return }
            if removes { unlinkat(pending.number, name, 0) }
            found.append(.init(name: ObjectPath.reserved + "/" + name, begunAt: touched))
        }
        return found.sorted { $0.name < $1.name }
    }

    /// Everything in an open folder that is still there when it is looked at, links as links.
    private func each(
        of folder: Descriptor, _ place: String, _ body: (String, stat) throws(ObjectStoreError) -> Void
    ) throws(ObjectStoreError) {
        // The stream takes over the descriptor it is given.
        let copy = openat(folder.number, ".", Self.folderFlags)
        guard copy >= 0, let stream = fdopendir(copy) else { throw .system("list", path: place) }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(validatingCString: $0) }
            }
            var status = stat()
            guard let name, name != ".", name != "..", fstatat(folder.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            try body(name, status)
        }
    }
}
