import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Where finished log lines go. One call writes one whole line, so lines of several threads never mix.
package struct LogSink: Sendable {
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter write: Gets a line with its line feed. Called from any thread, one call per line.
    package init(_ write: @escaping @Sendable ([UInt8]) -> Void) { self.write = write }

    func callAsFunction(_ line: [UInt8]) { write(line) }

    /// The process's standard error. A reader that went away loses lines; the process goes on.
    package static let standardError: LogSink = {
        let lock = Mutex(())
        return LogSink { line in
            lock.withLock { _ in
                line.withUnsafeBytes { bytes in
                    var rest = bytes[...]
                    while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
                        let written = Glibc.write(STDERR_FILENO, base, rest.count)
                        if written > 0 {
                            rest = rest.dropFirst(written)
                        } else if errno != EINTR {
                            return
                        }
                    }
                }
            }
        }
    }()
}
