import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// The directory of the embedded backend.
enum LocalDirectory {
    /// Creates it when missing and refuses what SQLite's locks cannot protect.
    static func prepare(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw EventLogError(.unusableDirectory("cannot create \(path)"), during: "open", cause: error)
        }
        guard access(path, W_OK) == 0 else {
            throw EventLogError(.unusableDirectory("\(path) is not writable"), during: "open")
        }
        if let kind = networkFileSystem(of: URL(filePath: path).resolvingSymlinksInPath().path) {
            throw EventLogError(
                .unusableDirectory("\(path) is on \(kind): file locks are not reliable there; use a local disk"), during: "open")
        }
    }

    /// The type of the network file system a path lies on, as `/proc/self/mounts` tells; `nil` for a local one.
    private static func networkFileSystem(of path: String) -> String? {
        guard let mounts = try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8) else { return nil }
        var best = (point: "", type: "")
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2 else { continue }
            let point = String(fields[1])
            let isPrefix = path == point || point == "/" || path.hasPrefix(point + "/")
            if isPrefix, point.utf8.count >= best.point.utf8.count { best = (point, String(fields[2])) }
        }
        return networkTypes.contains(best.type) ? best.type : nil
    }

    private static let networkTypes: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "lustre", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "9p",
    ]
}

/// Held while the log is opened; another process waits for the moment that takes.
struct OpeningLock: Sendable {
    private let descriptor: Int32

    init(directory: String) throws {
        descriptor = open(directory + "/log.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
            throw EventLogError(.unusableDirectory("\(directory)/log.lock cannot be locked"), during: "open")
        }
    }

    func release() { close(descriptor) }
}
