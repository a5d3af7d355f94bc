#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What went wrong with an object, and which.
package struct ObjectStoreError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// A path, prefix or address that no object can have.
        case invalidPath
        case notFound
        /// The path leads through a symbolic link or something else that is neither object nor folder.
        case notAnObject
        /// The path names a folder of other objects, or passes through an object.
        case conflict
        /// The range is not inside the object.
        case outOfRange
        /// The bytes are not those that the object's name promises.
        case corrupt
        case io
        /// The store knows who asks, or does not, and says no.
        case denied
        /// The store cannot be what the settings say: no such bucket, another region, credentials missing.
        case badSettings
        /// The store did not answer, or said that it cannot now, as often as it was asked.
        case unavailable
    }

    package let code: Code
    /// `open`, `put`, `get`, `list` or `delete`.
    package let operation: String
    package let path: String
    package let reason: String
    /// The system's error number, 0 when the system was not the one to refuse.
    package let number: Int32
    /// Whether the same call may succeed in a moment.
    private let isTransient: Bool

    package init(
        _ code: Code, _ operation: String, path: String, _ reason: String, number: Int32 = 0, isTransient: Bool = false
    ) {
        self.isTransient = isTransient
        self.code = code
        self.operation = operation
        self.path = path
        self.reason = reason
        self.number = number
    }

    package var isRetriable: Bool { isTransient || [EAGAIN, EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, EFBIG].contains(number) }

    package var description: String { "cannot \(operation) object \"\(path)\": \(reason)" }

    /// The failure of the system call just made.
    static func system(_ operation: String, path: String, _ number: Int32 = errno) -> ObjectStoreError {
        let code: Code =
            switch number {
            case ENOENT: .notFound
            case ELOOP: .notAnObject
            case ENOTDIR, EISDIR, EEXIST, ENOTEMPTY: .conflict
            case ENAMETOOLONG: .invalidPath
            default: .io
            }
        return ObjectStoreError(code, operation, path: path, String(cString: strerror(number)), number: number)
    }
}
