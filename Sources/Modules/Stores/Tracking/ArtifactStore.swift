import Dispatch
package import Domain
package import ObjectStore

/// The server's artefacts: plain files at `{root}/{path}`, so that they can be copied in and out by hand.
package struct ArtifactStore: Sendable {
    package struct Entry: Sendable, Hashable {
        /// Relative to the folder that was listed: one name.
        package let name: String
        package let isDirectory: Bool
        /// 0 for a folder.
        package let byteCount: Int64
    }

    package struct File: Sendable, Hashable {
        package let path: ObjectPath
        package let byteCount: Int64
        package let modifiedAt: EventTime.Milliseconds
    }

    private let objects: ObjectStore
    private let root: String

    /// - Parameter root: A directory; made when missing.
    package init(root: String) async throws {
        objects = try await ObjectStore(directory: root)
        self.root = root
    }

    /// What lies directly in a folder, sorted by name; the root for empty text.
    package func list(_ folder: String) async throws(TrackingError) -> [Entry] {
        let prefix = folder.isEmpty ? "" : try ArtifactPath.check(folder).description + "/"
        let found: [ObjectStore.Entry]
        do throws(ObjectStoreError) { found = try await objects.list(prefix: prefix) } catch { throw Self.sort(error) }
        var entries: [Entry] = []
        for object in found {
            let rest = object.path.description.dropFirst(prefix.count)
            if let slash = rest.firstIndex(of: "/") {
                let name = String(rest[..<slash])
                if entries.last?.name != name || entries.last?.isDirectory != true {
                    entries.append(Entry(name: name, isDirectory: true, byteCount: 0))
                }
            } else {
                entries.append(Entry(name: String(rest), isDirectory: false, byteCount: object.byteCount))
            }
        }
        return entries
    }

    /// How many files there are and what they hold together. - Complexity: O(files).
    package func usage() async throws(TrackingError) -> (fileCount: Int, byteCount: Int64) {
        do throws(ObjectStoreError) {
            let all = try await objects.list()
            return (all.count, all.reduce(0) { $0 &+ $1.byteCount })
        } catch { throw Self.sort(error) }
    }

    /// - Throws: `doesNotExist` for a missing file, `invalidParameter` for a folder.
    package func file(_ text: String) async throws(TrackingError) -> File {
        let path = try ArtifactPath.check(text)
        let found: [ObjectStore.Entry]
        do throws(ObjectStoreError) { found = try await objects.list(prefix: path.description) } catch { throw Self.sort(error) }
        if let entry = found.first(where: { $0.path == path }) {
            return File(path: path, byteCount: entry.byteCount, modifiedAt: entry.modifiedAt)
        }
        guard !found.contains(where: { $0.path.description.hasPrefix(path.description + "/") }) else {
            throw TrackingError(.invalidParameter, "'\(Validation.shown(text))' is a directory")
        }
        throw TrackingError(.doesNotExist, "No such artifact: '\(Validation.shown(text))'")
    }

    /// A part of a file.
    package func bytes(of file: File, _ range: Range<Int64>) async throws(TrackingError) -> [UInt8] {
        do throws(ObjectStoreError) { return try await objects.get(file.path, range: range) } catch { throw Self.sort(error) }
    }

    /// Removes a file, or a folder with all that is in it.
    package func delete(_ text: String) async throws(TrackingError) {
        let path = try ArtifactPath.check(text)
        do throws(ObjectStoreError) {
            if try await objects.delete(path) { return }
            for entry in try await objects.list(prefix: path.description + "/") { try await objects.delete(entry.path) }
        } catch { throw Self.sort(error) }
    }

    /// Begins a file that appears under its name when it is finished, whole.
    package func upload(_ text: String) async throws(TrackingError) -> ArtifactUpload {
        try await ArtifactUpload.begin(root: root, path: ArtifactPath.check(text))
    }

    static func sort(_ error: ObjectStoreError) -> TrackingError {
        switch error.code {
        case .notFound: TrackingError(.doesNotExist, "No such artifact: '\(error.path)'")
        case .invalidPath, .notAnObject, .conflict, .outOfRange: TrackingError(.invalidParameter, "Invalid path: \(error.reason)")
        case .corrupt, .io: TrackingError(error.isRetriable ? .unavailable : .internalError, error.description)
        }
    }
}
