import Foundation
import Web

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A secret that no log shows.
package struct DirectorySecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let revealed: String

    init(_ text: String) { revealed = text }

    package var description: String { "[redacted]" }
    package var debugDescription: String { "[redacted]" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// How the other processes of a directory find this server: `DIR/endpoints.json`, there while it listens.
struct Endpoints: Sendable {
    let directory: String
    /// What the others must show; `nil` when the server asks for nothing.
    let secret: DirectorySecret?

    private var path: String { directory + "/endpoints.json" }

    func write(track url: String) throws {
        let json = JSONWriter.object { writer in
            writer.field("track", url)
            writer.field("token", secret?.revealed)
        }
        // Made for its owner alone before anything is in it, then moved into place.
        let pending = path + ".part"
        unlink(pending)
        let file = open(pending, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TrackRole.Error.unusable(directory, String(cString: strerror(errno))) }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        try handle.write(contentsOf: Data(json + Array("\n".utf8)))
        guard rename(pending, path) == 0 else { throw TrackRole.Error.unusable(directory, String(cString: strerror(errno))) }
    }

    /// Removes the file, unless another server has written its own by now.
    func remove(track url: String) {
        guard let data = FileManager.default.contents(atPath: path), let json = try? JSONReader.read(data), json["track"]?.string == url
        else { return }
        unlink(path)
    }
}

/// The right to write a directory's tracking database; held by one process at a time, and by no dead one.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: ``TrackRole/Error/inUse(_:)`` while another process holds it.
    init(directory: String) throws(TrackRole.Error) {
        let path = directory + "/tracking.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .unusable(directory, String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .inUse(directory)
        }
    }

    deinit { close(descriptor) }
}
