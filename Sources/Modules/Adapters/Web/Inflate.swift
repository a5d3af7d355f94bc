import CZlib

/// Decompression of request bodies: gzip and zlib framing, never beyond a limit.
package enum Inflate {
    package enum Error: Swift.Error, Equatable {
        /// The bytes are not a whole gzip or zlib stream.
        case damaged
        /// The content is larger than the limit: a small body must not fill the memory.
        case tooLarge(limit: Int)
    }

    /// Which `Content-Encoding` values ``bytes(_:limit:)`` undoes.
    package static func undoes(_ encoding: String) -> Bool { ["gzip", "x-gzip", "deflate"].contains(encoding.lowercased()) }

    /// The content of one compressed stream.
    /// - Parameter limit: Bytes of content at most.
    package static func bytes(_ compressed: [UInt8], limit: Int) throws(Error) -> [UInt8] {
        // The library remembers the address of the stream: it must not move between calls.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // 32 more than the largest window: zlib tells the two framings apart by itself.
        guard inflateInit2_(stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { throw .damaged }
        defer { inflateEnd(stream) }
        var input = compressed, content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1_024)
        var status = Z_OK
        input.withUnsafeMutableBufferPointer { source in
            stream.pointee.next_in = source.baseAddress
            stream.pointee.avail_in = UInt32(clamping: source.count)
            repeat {
                let produced = buffer.withUnsafeMutableBufferPointer { target in
                    stream.pointee.next_out = target.baseAddress
                    stream.pointee.avail_out = UInt32(target.count)
                    status = inflate(stream, Z_NO_FLUSH)
                    return target.count - Int(stream.pointee.avail_out)
                }
                content += buffer[..<produced]
                if produced == 0, status == Z_OK { status = Z_BUF_ERROR }
            } while status == Z_OK && content.count <= limit
        }
        guard content.count <= limit else { throw .tooLarge(limit: limit) }
        guard status == Z_STREAM_END else { throw .damaged }
        return content
    }
}
