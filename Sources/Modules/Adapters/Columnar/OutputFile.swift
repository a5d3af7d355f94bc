#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A file that appears under its name only when it is complete: written beside it, then renamed.
final class OutputFile {
    let path: String
    let temporaryPath: String
    private var isDone = false

    init(path: String) {
        self.path = path
        temporaryPath = "\(path).\(String(UInt64.random(in: .min ... .max), radix: 36)).part"
    }

    deinit { if !isDone { unlink(temporaryPath) } }

    func commit() throws(ColumnarError) {
        guard rename(temporaryPath, path) == 0 else {
            throw ColumnarError(.io, "write", file: path, String(cString: strerror(errno)))
        }
        isDone = true
    }
}

/// Text that goes to an ``OutputFile`` block by block.
final class TextOutput {
    private let output: OutputFile
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private static var blockBytes: Int { 1 << 18 }

    init(path: String) throws(ColumnarError) {
        output = OutputFile(path: path)
        descriptor = open(output.temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ColumnarError(.io, "write", file: path, String(cString: strerror(errno))) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func append(_ bytes: some Sequence<UInt8>) throws(ColumnarError) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.blockBytes { try flush() }
    }

    func commit() throws(ColumnarError) {
        try flush()
        try output.commit()
    }

    private func flush() throws(ColumnarError) {
        var written = 0
        while written < buffer.count {
            let count = buffer.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + written }, buffer.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ColumnarError(.io, "write", file: output.path, String(cString: strerror(errno))) }
            written += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
