/// The name of an object: one or more parts between slashes, relative to the root of its store.
///
/// A value of this type cannot lead out of the store: no part is empty, `.` or `..`, and none holds a NUL byte. Names
/// are compared byte by byte, which is also how listings are sorted.
package struct ObjectPath: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let description: String
    var parts: [Substring] { description.split(separator: "/", omittingEmptySubsequences: false) }

    package static let maxBytes = 1_024
    /// What file systems take as one name.
    package static let maxPartBytes = 255
    /// A first part that is not an object's: files being written.
    static let reserved = ".part"

    package init(_ text: String) throws(ObjectStoreError) {
        func refuse(_ reason: String) -> ObjectStoreError { ObjectStoreError(.invalidPath, "open", path: text, reason) }
        guard !text.isEmpty else { throw refuse("the path is empty") }
        guard text.utf8.count <= Self.maxBytes else { throw refuse("the path is longer than \(Self.maxBytes) bytes") }
        guard !text.utf8.contains(0) else { throw refuse("the path holds a NUL byte") }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        for part in parts {
            guard !part.isEmpty else { throw refuse("the path has an empty part; it is relative and has single slashes") }
            guard part != ".", part != ".." else { throw refuse("the path has a part \"\(part)\"") }
            guard part.utf8.count <= Self.maxPartBytes else { throw refuse("a part of the path is longer than \(Self.maxPartBytes) bytes") }
        }
        guard parts.first != Self.reserved[...] else { throw refuse("\"\(Self.reserved)\" is reserved") }
        description = text
    }

    /// `self/part`; `part` may itself hold slashes.
    package func appending(_ part: String) throws(ObjectStoreError) -> ObjectPath { try ObjectPath("\(description)/\(part)") }

    package static func < (a: ObjectPath, b: ObjectPath) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }
}
