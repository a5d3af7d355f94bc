import Foundation

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The key that secrets in a directory's database are encrypted with: `DIR/secret.key`, 32 random bytes for its owner alone.
/// A copy of the database without it tells no secret.
enum SecretKeyFile {
    /// Reads the key; makes it the first time.
    static func read(_ directory: String) throws -> [UInt8] {
        let path = directory + "/secret.key"
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 {
            var generator = SystemRandomNumberGenerator()
            let key = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
            try handle.write(contentsOf: Data(key))
            try handle.synchronize()
            return key
        }
        guard let data = FileManager.default.contents(atPath: path), data.count == 32 else {
            throw TrackRole.Error.unusable(directory, "secret.key cannot be read or is not 32 bytes long")
        }
        return Array(data)
    }
}
