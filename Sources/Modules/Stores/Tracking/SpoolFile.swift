#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One file of lines, locked against other processes and other descriptors of this one while the value lives.
final class SpoolFile {
    typealias Failure = TrackingSpool.Failure

    private let path: String
    private let descriptor: Int32
    /// Bytes.
    private(set) var size: Int

    /// Waits for the lock. Who held it may have removed the file, or moved it: then it is opened again under its name.
    /// - Returns: `nil` when there is none and it is not to be made.
    init?(_ path: String, creates: Bool) throws(Failure) {
        while true {
            let file = open(path, O_RDWR | O_APPEND | O_CLOEXEC | (creates ? O_CREAT : 0), 0o600)
            guard file >= 0 else {
                guard !creates, errno == ENOENT else { throw Failure.system(path) }
                return nil
            }
            var held = stat(), named = stat()
            guard Self.lock(file), fstat(file, &held) == 0 else {
                let failure = Failure.system(path)
                close(file)
                throw failure
            }
            if stat(path, &named) == 0, named.st_ino == held.st_ino, named.st_dev == held.st_dev {
                (self.path, descriptor, size) = (path, file, Int(held.st_size))
                return
            }
            close(file)
        }
    }

    deinit { close(descriptor) }

    private static func lock(_ file: Int32) -> Bool {
        while flock(file, LOCK_EX) != 0 { if errno != EINTR { return false } }
        return true
    }

    /// Takes away a last line that has no end.
    /// - Returns: Its bytes.
    func cut() throws(Failure) -> Int {
        var end = size
        while end > 0 {
            let start = max(0, end - 65_536)
            let piece = try read(start..<end)
            if let last = piece.lastIndex(of: .newline) {
                end = start + last + 1
                break
            }
            end = start
        }
        let torn = size - end
        if torn > 0 {
            guard ftruncate(descriptor, off_t(end)) == 0 else { throw Failure.system(path) }
            size = end
        }
        return torn
    }

    /// Adds bytes; they are on disk when this returns, or not there at all.
    func append(_ bytes: [UInt8]) throws(Failure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                let failure = Failure.system(path)
                // Half a line would spoil the next one; whoever opens the file next cuts what cannot be taken away now.
                ftruncate(descriptor, off_t(size))
                throw failure
            }
            written += count
        }
        guard fsync(descriptor) == 0 else { throw Failure.system(path) }
        size += bytes.count
    }

    /// Whole lines from a place on: about `pieceBytes` of them, and at least one when there is one.
    func lines(from start: Int, pieceBytes: Int) throws(Failure) -> TrackingSpool.Batch {
        var length = pieceBytes
        while start < size {
            let end = min(size, start + length)
            let piece = try read(start..<end)
            if let last = piece.lastIndex(of: .newline) {
                var batch = TrackingSpool.Batch(), at = 0
                for line in piece[...last].split(separator: .newline, omittingEmptySubsequences: false).dropLast() {
                    at += line.count + 1
                    batch.lines.append(.init(bytes: Array(line), end: start + at))
                }
                return batch
            }
            guard end < size else { break }
            length *= 2
        }
        return TrackingSpool.Batch()
    }

    private func read(_ range: Range<Int>) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var filled = 0
        while filled < range.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled, off_t(range.lowerBound + filled))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.system(path) }
            if count == 0 { break }
            filled += count
        }
        return Array(bytes.prefix(filled))
    }
}
