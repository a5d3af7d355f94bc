#if canImport(Glibc)
import Glibc
#endif

/// What of the files of the program and its libraries is mapped into this process.
///
/// A start reads relocations, symbol tables and initialisers of everything that the program is linked with, and the kernel
/// maps what lies around each page that is read: most of a server's resident memory is then code and tables that it never
/// looks at again.
package enum ProgramPages {
    /// Takes the pages of files that nobody has written to out of this process. They stay in the kernel's cache and come
    /// back one by one, without a read, when they are touched again; nothing that the process can see changes.
    ///
    /// Blocks for some milliseconds.
    package static func release() {
        #if os(Linux)
        for range in unwritten(smaps: ProcessMetrics.read("/proc/self/smaps") ?? "") {
            madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
        }
        #endif
    }

    /// Addresses of the mappings of files that are private, cannot be written to, and hold no page of their own: a page that
    /// was written to before it was protected would be lost.
    static func unwritten(smaps text: String) -> [Range<UInt>] {
        var found: [Range<UInt>] = []
        var candidate: Range<UInt>?
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " ")).map { String(Substring($0)) }
            guard let first = words.first else { continue }
            if first.hasSuffix(":") {
                if first == "Anonymous:", let range = candidate, words.dropFirst().first == "0" { found.append(range) }
            } else {
                candidate = words.count > 5 && words[5].hasPrefix("/") && (words[1] == "r-xp" || words[1] == "r--p") ? range(first) : nil
            }
        }
        return found
    }

    /// `55d0c0a00000-55d0c0a21000`
    private static func range(_ text: String) -> Range<UInt>? {
        let ends = text.split(separator: "-").compactMap { UInt($0, radix: 16) }
        return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
    }
}
