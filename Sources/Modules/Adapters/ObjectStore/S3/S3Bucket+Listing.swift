import NIOHTTP1
import Web

extension S3Bucket {
    /// A page of keys; their names come percent-encoded, since XML cannot say every byte.
    func page(
        prefix: String, delimiter: String?, token: String?, _ operation: String
    ) async throws(ObjectStoreError) -> (document: S3XML, next: String?) {
        guard !prefix.utf8.contains(0), !prefix.hasPrefix("/"), !prefix.split(separator: "/").contains("..") else {
            throw ObjectStoreError(.invalidPath, operation, path: prefix, "no object's path starts like this")
        }
        var call = S3Call(.GET, operation, path: place.description + prefix)
        call.query = [("list-type", "2"), ("encoding-type", "url"), ("prefix", place.prefix + prefix)]
        if let delimiter { call.query.append(("delimiter", delimiter)) }
        if let token { call.query.append(("continuation-token", token)) }
        let document = try await client.document(call)
        guard document.name == "ListBucketResult" else {
            throw ObjectStoreError(.io, operation, path: call.path, "the store's answer is a \(document.name), not a listing")
        }
        let isWhole = document.text("IsTruncated") != "true"
        let next = isWhole ? nil : document.text("NextContinuationToken")
        guard isWhole || next != nil && next != token else {
            throw ObjectStoreError(.io, operation, path: call.path, "the store ends a page without saying where the next begins")
        }
        return (document, next)
    }

    func list(prefix: String) async throws(ObjectStoreError) -> [ObjectStore.Entry] {
        var entries: [ObjectStore.Entry] = []
        var token: String?
        repeat {
            let page = try await page(prefix: prefix, delimiter: nil, token: token, "list")
            for object in page.document.all("Contents") {
                // A key that others made and that is no path of ours, such as one with a slash at its end.
                guard let path = object.text("Key").flatMap({ Self.decoded($0) }).flatMap({ place.path($0) }) else { continue }
                entries.append(
                    ObjectStore.Entry(
                        path: path, byteCount: object.text("Size").flatMap { Int64($0) } ?? 0,
                        modifiedAt: S3Time.iso(object.text("LastModified") ?? "") ?? 0, tag: Self.tag(object.text("ETag"))))
            }
            token = page.next
        } while token != nil
        // Stores list by bytes too, but some that only speak the protocol do not.
        return entries.sorted { $0.path < $1.path }
    }

    func children(of folder: String) async throws(ObjectStoreError) -> [ObjectStore.Child] {
        let prefix = folder.isEmpty ? "" : folder + "/", start = (place.prefix + prefix).utf8.count
        var children: [ObjectStore.Child] = []
        var token: String?
        repeat {
            let page = try await page(prefix: prefix, delimiter: "/", token: token, "list")
            func name(_ key: String?) -> String? {
                key.flatMap { Self.decoded($0) }.map { String(decoding: $0.utf8.dropFirst(start), as: UTF8.self) }
            }
            for object in page.document.all("Contents") {
                guard let name = name(object.text("Key")), !name.isEmpty else { continue }
                children.append(.init(name: name, isFolder: false, byteCount: object.text("Size").flatMap { Int64($0) } ?? 0))
            }
            for folder in page.document.all("CommonPrefixes") {
                guard let name = name(folder.text("Prefix")), name.utf8.count > 1 else { continue }
                children.append(.init(name: String(name.dropLast()), isFolder: true, byteCount: 0))
            }
            token = page.next
        } while token != nil
        return children.filter { prefix + $0.name != ObjectPath.reserved }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    static func decoded(_ key: String) -> String? { URLText.decode(key, plusIsSpace: true) }

    func leftovers(before time: Int64, removes: Bool) async throws(ObjectStoreError) -> [ObjectStore.Leftover] {
        var found: [ObjectStore.Leftover] = []
        var marker: (key: String, upload: String)?
        repeat {
            var call = S3Call(.GET, "list", path: place.description)
            call.query = [("uploads", ""), ("encoding-type", "url"), ("prefix", place.prefix)]
            if let marker { call.query += [("key-marker", marker.key), ("upload-id-marker", marker.upload)] }
            let page = try await client.document(call)
            for upload in page.all("Upload") {
                guard let key = upload.text("Key").flatMap({ Self.decoded($0) }), let id = upload.text("UploadId"),
                    let begun = S3Time.iso(upload.text("Initiated") ?? ""), begun < time
                else { continue }
                let path = String(decoding: key.utf8.dropFirst(place.prefix.utf8.count), as: UTF8.self)
                if removes { try await S3Upload.abort(id, key: key, path: path, client) }
                found.append(.init(name: path, begunAt: begun))
            }
            let next = page.text("IsTruncated") == "true" ? page.text("NextKeyMarker").flatMap { Self.decoded($0) } : nil
            let following = next.map { ($0, page.text("NextUploadIdMarker") ?? "") }
            guard following.map({ $0.0 != marker?.key || $0.1 != marker?.upload }) ?? true else { break }
            marker = following.map { (key: $0.0, upload: $0.1) }
        } while marker != nil
        return found
    }
}
