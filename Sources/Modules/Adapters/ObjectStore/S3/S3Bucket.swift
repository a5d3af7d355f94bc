import AsyncHTTPClient
import Crypto
import Domain
import Foundation
import NIOCore
import NIOHTTP1

/// Objects in a bucket, below a prefix.
struct S3Bucket: ObjectBackend {
    let place: S3Place
    let client: S3Client

    /// Asks for the first object, so that wrong settings are told when a process starts and not when it first stores something.
    func check() async throws(ObjectStoreError) {
        var call = S3Call(.GET, "open", path: place.description)
        call.query = [("list-type", "2"), ("max-keys", "1"), ("prefix", place.prefix)]
        _ = try await client.document(call)
    }

    /// What one request may carry; more goes up in parts.
    private static let maxPutBytes = 64 << 20

    func put(_ bytes: [UInt8], at path: ObjectPath) async throws(ObjectStoreError) {
        let key = try place.key(path, "put")
        guard bytes.count > Self.maxPutBytes else { return try await put(bytes, key: key, path) }
        let upload = S3Upload(client: client, key: key, path: path)
        do throws(ObjectStoreError) {
            for start in stride(from: 0, to: bytes.count, by: ObjectStore.pieceBytes) {
                try await upload.write(Array(bytes[start..<min(bytes.count, start + ObjectStore.pieceBytes)]))
            }
            try await upload.finish()
        } catch {
            try? await upload.abandon()
            throw error
        }
    }

    private func put(_ bytes: [UInt8], key: String, _ path: ObjectPath) async throws(ObjectStoreError) {
        var call = S3Call(.PUT, key: key, "put", path: path.description)
        call.body = bytes
        try await client.send(call) { try await $0.drain() }
    }

    func get(_ path: ObjectPath, range: Range<Int64>?) async throws(ObjectStoreError) -> [UInt8] {
        var call = S3Call(.GET, key: try place.key(path, "get"), "get", path: path.description)
        // A request for nothing cannot be said as a range.
        if let range, range.isEmpty {
            guard let entry = try await entry(path) else {
                throw ObjectStoreError(.notFound, "get", path: path.description, "there is no such object")
            }
            guard range.upperBound <= entry.byteCount else {
                throw ObjectStoreError(.outOfRange, "get", path: path.description, "bytes \(range) of \(entry.byteCount)")
            }
            return []
        }
        if let range { call.headers.append(Self.header(range)) }
        return try await client.send(call, expects: [range == nil ? 200 : 206]) { answer in
            let expected = range.map { Int($0.count) } ?? answer.headers.first(name: "content-length").flatMap { Int($0) }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(min(expected ?? 0, 1 << 30))
            for try await piece in answer.body { bytes.append(contentsOf: piece.readableBytesView) }
            // A range that reaches beyond the end is answered with what there is.
            guard expected == nil || bytes.count == expected else {
                throw ObjectStoreError(
                    .outOfRange, "get", path: path.description, "it ended after \(bytes.count) of \(expected ?? 0) bytes")
            }
            return bytes
        }
    }

    private static func header(_ range: Range<Int64>) -> (name: String, value: String) {
        ("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
    }

    func entry(_ path: ObjectPath) async throws(ObjectStoreError) -> ObjectStore.Entry? {
        let call = S3Call(.HEAD, key: try place.key(path, "get"), "get", path: path.description)
        return try await client.send(call, expects: [200, 404]) { answer in
            guard answer.status == .ok else { return nil }
            guard let size = answer.headers.first(name: "content-length").flatMap({ Int64($0) }), size >= 0 else {
                throw ObjectStoreError(.io, "get", path: path.description, "the store does not say how large it is")
            }
            return ObjectStore.Entry(
                path: path, byteCount: size, modifiedAt: S3Time.http(answer.headers.first(name: "last-modified") ?? "") ?? 0,
                tag: Self.tag(answer.headers.first(name: "etag")))
        }
    }

    /// Without the quotes, and without what could not stand inside quotes.
    static func tag(_ etag: String?) -> String {
        String(
            decoding: (etag ?? "").utf8.filter { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") },
            as: UTF8.self)
    }

    func read(_ entry: ObjectStore.Entry, _ range: Range<Int64>, _ take: ([UInt8]) async throws -> Void) async throws {
        let path = entry.path
        var call = S3Call(.GET, key: try place.key(path, "get"), "get", path: path.description)
        var offset = range.lowerBound, failures = 0
        // A connection that breaks is taken up again where it broke, as long as the object is the same.
        while offset < range.upperBound {
            call.headers = [Self.header(offset..<range.upperBound)]
            if !entry.tag.isEmpty { call.headers.append(("if-match", "\"\(entry.tag)\"")) }
            let body = try await client.send(call, expects: [206]) { $0.body }
            var iterator = body.makeAsyncIterator()
            while offset < range.upperBound {
                let piece: ByteBuffer?
                do { piece = try await iterator.next() } catch {
                    failures += 1
                    try await client.wait(afterFailures: failures, S3Failure.error(error, call))
                    break
                }
                guard let piece else {
                    failures += 1
                    let early = ObjectStoreError(.unavailable, "get", path: path.description, "it ended early", isTransient: true)
                    try await client.wait(afterFailures: failures, early)
                    break
                }
                let bytes = piece.readableBytesView.prefix(Int(range.upperBound - offset))
                guard !bytes.isEmpty else { continue }
                failures = 0
                offset += Int64(bytes.count)
                var rest = bytes[...]
                while !rest.isEmpty {
                    try await take(Array(rest.prefix(ObjectStore.pieceBytes)))
                    rest = rest.dropFirst(ObjectStore.pieceBytes)
                }
            }
        }
    }

    func delete(_ path: ObjectPath) async throws(ObjectStoreError) -> Bool {
        guard try await entry(path) != nil else { return false }
        let call = S3Call(.DELETE, key: try place.key(path, "delete"), "delete", path: path.description)
        try await client.send(call, expects: [200, 204, 404]) { try await $0.drain() }
        return true
    }

    func deleteAll(prefix: String) async throws(ObjectStoreError) {
        var token: String?
        repeat {
            let page = try await page(prefix: prefix, delimiter: nil, token: token, "delete")
            let keys = page.document.all("Contents").compactMap { $0.text("Key").flatMap { Self.decoded($0) } }
            if !keys.isEmpty { try await delete(keys) }
            token = page.next
        } while token != nil
    }

    /// At most a thousand at once, as many as a page of a listing has.
    private func delete(_ keys: [String]) async throws(ObjectStoreError) {
        var call = S3Call(.POST, "delete", path: place.description)
        call.query = [("delete", "")]
        let objects = keys.map { "<Object><Key>\(S3XML.escaped($0))</Key></Object>" }.joined()
        call.body = Array("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>\(objects)</Delete>".utf8)
        call.headers = [("content-md5", Data(Insecure.MD5.hash(data: call.body)).base64EncodedString())]
        let answer = try await client.document(call)
        if let refused = answer["Error"] {
            throw S3Failure.error(
                status: refused.text("Code") == "AccessDenied" ? 403 : 500, code: refused.text("Code"), message: refused.text("Message"),
                call,
                region: client.options.region)
        }
    }

    func upload(_ path: ObjectPath) async throws(ObjectStoreError) -> any ObjectUpload {
        S3Upload(client: client, key: try place.key(path, "put"), path: path)
    }
}

extension HTTPClientResponse {
    /// Reads what nobody needs, so that the connection can be used again.
    func drain() async throws { _ = try await body.collect(upTo: S3Client.maxDocumentBytes) }
}
