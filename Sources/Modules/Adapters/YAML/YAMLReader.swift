package import Domain

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Reads one YAML document into a ``SourceNode``.
///
/// Plain scalars stay text: what `yes`, `1_000` or `~` mean is for the reader of the value to say. Anchors, aliases and
/// merge keys (`<<`) are expanded; the expansion counts against ``maxNodes``, so a small file cannot become a huge tree.
package enum YAMLReader {
    package static let maxBytes = 4 << 20
    package static let maxDepth = 64
    /// Scalars, lists and maps, after the expansion of aliases.
    package static let maxNodes = 100_000

    package static func read(path: String) throws(YAMLError) -> SourceNode {
        guard let stream = fopen(path, "rbe") else {
            throw YAMLError(.unreadable, file: path, at: nil, String(cString: strerror(errno)))
        }
        defer { fclose(stream) }
        // One byte more than allowed tells a file that is too large without reading all of it.
        let bytes = [UInt8](unsafeUninitializedCapacity: maxBytes + 1) { buffer, count in
            count = fread(buffer.baseAddress, 1, maxBytes + 1, stream)
        }
        guard ferror(stream) == 0 else { throw YAMLError(.unreadable, file: path, at: nil, String(cString: strerror(errno))) }
        return try parse(bytes, file: path)
    }

    /// - Parameter file: What to call these bytes in errors.
    package static func parse(_ bytes: [UInt8], file: String) throws(YAMLError) -> SourceNode {
        guard bytes.count <= maxBytes else {
            throw YAMLError(.tooLarge, file: file, at: nil, "the file has more than \(maxBytes) bytes")
        }
        var composer = Composer(events: try EventReader(bytes, file: file))
        return try composer.document()
    }
}
