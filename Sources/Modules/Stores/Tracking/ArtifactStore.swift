package import Domain
package import ObjectStore

/// The server's artefacts: plain files at `{root}/{path}`, so that they can be copied in and out by hand, or objects in a bucket.
package struct ArtifactStore: Sendable {
    package struct Entry: Sendable, Hashable {
        /// Relative to the folder that was listed: one name.
        package let name: String
        package let isDirectory: Bool
        /// 0 for a folder.
        package let byteCount: Int64
    }

    package struct File: Sendable, Hashable {
        fileprivate let entry: ObjectStore.Entry

        package var path: ObjectPath { entry.path }
        package var byteCount: Int64 { entry.byteCount }
        package var modifiedAt: EventTime.Milliseconds { entry.modifiedAt }
        /// Another one when the file holds other bytes; safe inside quotes.
        package var tag: String { entry.tag }
    }

    private let objects: ObjectStore

    package init(_ objects: ObjectStore) { self.objects = objects }

    /// What lies directly in a folder, sorted by name; the root for empty text.
    package func list(_ folder: String) async throws(TrackingError) -> [Entry] {
        let path = folder.isEmpty ? nil : try ArtifactPath.check(folder)
        let found: [ObjectStore.Child]
        do throws(ObjectStoreError) { found = try await objects.children(of: path) } catch { throw Self.sort(error) }
        return found.map { Entry(name: $0.name, isDirectory: $0.isFolder, byteCount: $0.byteCount) }
    }

    /// How many files there are and what they hold together. - Complexity: O(files).
    package func usage() async throws(TrackingError) -> (fileCount: Int, byteCount: Int64) {
        do throws(ObjectStoreError) {
            let all = try await objects.list()
            return (all.count, all.reduce(0) { $0 &+ $1.byteCount })
        } catch { throw Self.sort(error) }
    }

    /// A file, open as it is now.
    /// - Throws: `doesNotExist` for a missing file, `invalidParameter` for a folder.
    package func file(_ text: String) async throws(TrackingError) -> File {
        let path = try ArtifactPath.check(text)
        let children: [ObjectStore.Child]
        do throws(ObjectStoreError) {
            if let entry = try await objects.open(path) { return File(entry: entry) }
            children = try await objects.children(of: path)
        } catch { throw Self.sort(error) }
        guard children.isEmpty else { throw TrackingError(.invalidParameter, "'\(Validation.shown(text))' is a directory") }
        throw TrackingError(.doesNotExist, "No such artifact: '\(Validation.shown(text))'")
    }

    /// A part of a file.
    package func bytes(of file: File, _ range: Range<Int64>) async throws(TrackingError) -> [UInt8] {
        do throws(ObjectStoreError) { return try await objects.get(file.path, range: range) } catch { throw Self.sort(error) }
    }

    /// Hands over a range of a file piece by piece and waits for the taker.
    package func read(_ file: File, _ range: Range<Int64>, _ take: ([UInt8]) async throws -> Void) async throws {
        do {
            try await objects.read(file.entry, range, take)
        } catch let error as ObjectStoreError {
            throw Self.sort(error)
        }
    }

    /// Removes a file, or a folder with all that is in it.
    package func delete(_ text: String) async throws(TrackingError) {
        let path = try ArtifactPath.check(text)
        do throws(ObjectStoreError) {
            if try await objects.delete(path) { return }
            try await objects.deleteAll(prefix: path.description + "/")
        } catch { throw Self.sort(error) }
    }

    /// Begins a file that appears under its name when it is finished, whole.
    package func upload(_ text: String) async throws(TrackingError) -> ArtifactUpload {
        let path = try ArtifactPath.check(text)
        do throws(ObjectStoreError) { return ArtifactUpload(try await objects.upload(path)) } catch { throw Self.sort(error) }
    }

    /// Uploads begun before a moment that were neither finished nor given up, by the paths of their files.
    package func leftovers(before time: EventTime.Milliseconds, removes: Bool) async throws(TrackingError) -> [String] {
        do throws(ObjectStoreError) {
            return try await objects.leftovers(before: time, removes: removes).map(\.name)
        } catch { throw Self.sort(error) }
    }

    static func sort(_ error: ObjectStoreError) -> TrackingError {
        switch error.code {
        case .notFound: TrackingError(.doesNotExist, "No such artifact: '\(error.path)'")
        case .invalidPath, .notAnObject, .conflict, .outOfRange: TrackingError(.invalidParameter, "Invalid path: \(error.reason)")
        case .corrupt, .io, .denied, .badSettings, .unavailable:
            TrackingError(error.isRetriable ? .unavailable : .internalError, error.description)
        }
    }
}
