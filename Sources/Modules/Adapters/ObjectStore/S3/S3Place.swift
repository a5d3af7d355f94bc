import Web

/// Where in which bucket a store's objects lie: `s3://BUCKET/PREFIX`.
package struct S3Place: Sendable, Hashable, CustomStringConvertible {
    package let bucket: String
    /// Empty, or ends with a slash.
    package let prefix: String

    package var description: String { "s3://\(bucket)/\(prefix)" }

    /// What one key may have.
    static let maxKeyBytes = 1_024

    package init(url: String) throws(ObjectStoreError) {
        func refuse(_ reason: String) -> ObjectStoreError { ObjectStoreError(.badSettings, "open", path: url, reason) }
        guard url.hasPrefix("s3://") else { throw refuse("a bucket's address is s3://BUCKET or s3://BUCKET/PREFIX") }
        let parts = url.dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.first.map { String($0) } ?? ""
        guard Self.isBucket(name) else {
            throw refuse("\"\(name)\" is no name of a bucket: 3 to 63 small letters, digits, dots and hyphens")
        }
        var rest = parts.count > 1 ? parts[1] : ""
        while rest.last == "/" { rest = rest.dropLast() }
        bucket = name
        guard !rest.isEmpty else {
            prefix = ""
            return
        }
        do throws(ObjectStoreError) { prefix = try ObjectPath(String(rest)).description + "/" } catch { throw refuse(error.reason) }
    }

    /// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
    private static func isBucket(_ name: String) -> Bool {
        func isEdge(_ byte: UInt8?) -> Bool { byte.map { $0 >= 0x61 && $0 <= 0x7A || $0 >= 0x30 && $0 <= 0x39 } ?? false }
        return (3...63).contains(name.utf8.count) && isEdge(name.utf8.first) && isEdge(name.utf8.last)
            && name.utf8.allSatisfy { isEdge($0) || $0 == 0x2D || $0 == 0x2E } && !name.contains("..")
    }

    /// The key of an object.
    func key(_ path: ObjectPath, _ operation: String) throws(ObjectStoreError) -> String {
        let key = prefix + path.description
        guard key.utf8.count <= Self.maxKeyBytes else {
            throw ObjectStoreError(
                .invalidPath, operation, path: path.description, "with the bucket's prefix the key is longer than \(Self.maxKeyBytes) bytes"
            )
        }
        return key
    }

    /// The object of a key; `nil` for one that no store of ours made.
    func path(_ key: String) -> ObjectPath? {
        guard key.utf8.starts(with: prefix.utf8), key.utf8.count > prefix.utf8.count else { return nil }
        return try? ObjectPath(String(decoding: key.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
    }
}
