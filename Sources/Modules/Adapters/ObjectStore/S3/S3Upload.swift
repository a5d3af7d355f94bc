import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// An object that goes up in parts; no more than one part is in memory. What is smaller than a part goes up in one request.
actor S3Upload: ObjectUpload {
    private let client: S3Client
    private let key: String
    private let path: ObjectPath
    private let partBytes: Int
    private var buffer: [UInt8] = []
    /// Once the first part was full.
    private var id: String?
    /// The tags of the parts that are up, in order.
    private var tags: [String] = []
    private var byteCount: Int64 = 0
    private var isEnded = false

    /// What the store takes.
    private static let maxParts = 10_000

    init(client: S3Client, key: String, path: ObjectPath) {
        self.client = client
        self.key = key
        self.path = path
        partBytes = client.options.partBytes
    }

    private func call(_ method: HTTPMethod, _ query: [(name: String, value: String)] = []) -> S3Call {
        var call = S3Call(method, key: key, "put", path: path.description)
        call.query = query
        return call
    }

    func write(_ bytes: [UInt8]) async throws(ObjectStoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, partBytes - buffer.count)
            buffer.append(contentsOf: rest.prefix(count))
            rest = rest.dropFirst(count)
            if buffer.count == partBytes { try await sendPart() }
        }
    }

    private func sendPart() async throws(ObjectStoreError) {
        let id = try await begun()
        guard tags.count < Self.maxParts else {
            throw ObjectStoreError(
                .invalidPath, "put", path: path.description, "it is larger than \(Self.maxParts) parts of \(partBytes) bytes")
        }
        var part = call(.PUT, [("partNumber", "\(tags.count + 1)"), ("uploadId", id)])
        part.body = buffer
        let name = path.description
        let tag = try await client.send(part) { answer in
            try await answer.drain()
            guard let tag = answer.headers.first(name: "etag") else {
                throw ObjectStoreError(.io, "put", path: name, "the store takes a part and gives it no tag")
            }
            return tag
        }
        tags.append(tag)
        byteCount += Int64(buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }

    private func begun() async throws(ObjectStoreError) -> String {
        if let id { return id }
        guard let new = try await client.document(call(.POST, [("uploads", "")])).text("UploadId"), !new.isEmpty else {
            throw ObjectStoreError(.io, "put", path: path.description, "the store begins an upload and gives it no name")
        }
        id = new
        return new
    }

    func finish() async throws(ObjectStoreError) {
        guard let id else {
            var whole = call(.PUT)
            whole.body = buffer
            try await client.send(whole) { try await $0.drain() }
            end()
            return
        }
        if !buffer.isEmpty { try await sendPart() }
        var summary = call(.POST, [("uploadId", id)])
        let parts = tags.enumerated().map { "<Part><PartNumber>\($0 + 1)</PartNumber><ETag>\(S3XML.escaped($1))</ETag></Part>" }.joined()
        summary.body = Array(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(parts)</CompleteMultipartUpload>".utf8)
        do throws(ObjectStoreError) {
            try await complete(summary)
        } catch {
            // An answer that was lost on the way: the upload is gone because the object is there.
            guard error.code == .notFound, try await isThere() else { throw error }
        }
        end()
    }

    /// The store says 200 before it knows how it ends; what follows may still be an error.
    private func complete(_ call: S3Call) async throws(ObjectStoreError) {
        let region = client.options.region
        try await client.send(call) { answer in
            let bytes = try await answer.body.collect(upTo: S3Client.maxDocumentBytes)
            guard let document = try? S3XML.read(Array(bytes.readableBytesView)), document.name == "CompleteMultipartUploadResult" else {
                let refused = try? S3XML.read(Array(bytes.readableBytesView))
                throw S3Failure.error(
                    status: 500, code: refused?.text("Code"), message: refused?.text("Message"), call, region: region)
            }
        }
    }

    private func isThere() async throws(ObjectStoreError) -> Bool {
        let expected = byteCount
        return try await client.send(call(.HEAD), expects: [200, 404]) { answer in
            answer.status == .ok && answer.headers.first(name: "content-length") == "\(expected)"
        }
    }

    private func end() {
        isEnded = true
        buffer = []
    }

    func abandon() async throws(ObjectStoreError) {
        guard !isEnded else { return }
        end()
        guard let id else { return }
        // Who gives up has often been cancelled; the parts go all the same.
        let client = client, key = key, path = path.description
        let abort = Task { () async -> ObjectStoreError? in
            do throws(ObjectStoreError) {
                try await Self.abort(id, key: key, path: path, client)
                return nil
            } catch {
                return error
            }
        }
        if let error = await abort.value { throw error }
    }

    static func abort(_ id: String, key: String, path: String, _ client: S3Client) async throws(ObjectStoreError) {
        var call = S3Call(.DELETE, key: key, "put", path: path)
        call.query = [("uploadId", id)]
        try await client.send(call, expects: [200, 204, 404]) { try await $0.drain() }
    }
}
