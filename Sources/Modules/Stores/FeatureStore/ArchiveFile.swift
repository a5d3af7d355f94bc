package import ObjectStore

/// A file of an archive: `<folder>/day=<YYYY-MM-DD>/<partition>-<first>-<last>.parquet`, the offsets inclusive.
package struct ArchiveFile: Sendable, Hashable {
    package let path: ObjectPath
    /// `YYYY-MM-DD`, of row or event time.
    package let day: String
    package let partition: Int
    package let first: Int64
    package let last: Int64

    /// - Returns: `nil` for a name that the archive does not give.
    init?(_ path: ObjectPath) {
        let parts = path.description.split(separator: "/")
        guard let name = parts.last, name.hasSuffix(".parquet"), parts.count >= 2, parts[parts.count - 2].hasPrefix("day=") else {
            return nil
        }
        let numbers = name.dropLast(8).split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) }
        guard numbers.count == 3, let partition = numbers[0], let first = numbers[1], let last = numbers[2], partition >= 0, first <= last
        else { return nil }
        self.path = path
        day = String(parts[parts.count - 2].dropFirst(4))
        self.partition = Int(partition)
        self.first = first
        self.last = last
    }

    /// The files of a folder in order of their paths; what is no Parquet file is not the archive's concern.
    /// - Throws: ``OfflineStore/Error/foreignFile(_:)``: what it holds would be lost silently.
    static func list(_ folder: String, in store: ObjectStore) async throws -> [ArchiveFile] {
        try await store.list(prefix: folder + "/").filter { $0.path.description.hasSuffix(".parquet") }.map { entry in
            guard let file = ArchiveFile(entry.path) else { throw OfflineStore.Error.foreignFile(entry.path.description) }
            return file
        }
    }
}
