import HTTPTypes
import Hummingbird
import NIOCore
import ObjectStore
import Registry
import Tracking
import Web

/// The artefact proxy: files in and out by their path below the server's root, piece by piece.
struct ArtifactRoutes: Sendable {
    let service: TrackService

    func add(to router: Router<WebContext>) {
        for prefix in Route.prefixes {
            let root = "\(prefix)/2.0/\(TrackRouter.artifactPath)"
            router.get(RouterPath(root)) { request, _ in
                let path = request.query.last { $0.name == "path" }?.value ?? ""
                try await service.requireArtifact(path)
                let entries = try await service.artifacts.list(path)
                return Response.json(Self.listing(entries).json)
            }
            router.get(RouterPath(root + "/**")) { request, _ in try await send(reached(path(request, root), .reader), to: request) }
            router.put(RouterPath(root + "/**")) { request, _ in
                try await receive(request, at: reached(path(request, root), .trainer))
            }
            router.delete(RouterPath(root + "/**")) { request, _ in
                let path = try await reached(path(request, root), .trainer)
                try await service.requireRemovable(path)
                try await service.artifacts.delete(path)
                return Response.json(Reply.empty.json)
            }
            for refused in ["mpu/create", "mpu/complete", "mpu/abort", "presigned"] {
                router.on(RouterPath("\(prefix)/2.0/mlflow-artifacts/\(refused)/**"), method: refused == "presigned" ? .get : .post) {
                    _, _ -> Response in
                    throw TrackingError(.notImplemented, "\(refused) is not supported; send and fetch files with PUT and GET")
                }
            }
        }
        router.get("/get-artifact") { request, _ in
            let arguments = Arguments(query: request.query)
            try await service.requireRun(arguments.run())
            let place = try ArtifactPath.place(of: try await service.store.run(id: arguments.run()).info.artifactURI)
            return try await sendReached(place + "/" + ArtifactPath.check(arguments.text("path")).description, to: request)
        }
        router.get("/ajax-api/2.0/mlflow/logged-models/:model_id/artifacts/files") { request, context in
            let model = try await service.store.loggedModel(id: context.parameters.get("model_id") ?? "")
            try await service.requireExperiment(model.experimentID)
            let path = try Arguments(query: request.query).text("artifact_file_path")
            return try await sendReached(
                ArtifactPath.place(of: model.artifactURI) + "/" + ArtifactPath.check(path).description, to: request)
        }
        router.post("/ajax-api/2.0/mlflow/upload-artifact") { request, _ in
            let arguments = Arguments(query: request.query)
            try Caller.current.require(.trainer)
            for (name, other) in [("run_uuid", "run_id"), ("path", "path")] {
                let given = [arguments[name], arguments[other]].compactMap { $0?.string }
                guard given.contains(where: { !$0.isEmpty }) else {
                    throw TrackingError(.invalidParameter, "Request must specify \(name).")
                }
            }
            let run = try await service.store.run(id: arguments.run()).info
            try await service.requireExperiment(run.experimentID)
            guard run.stage == .active else {
                throw TrackingError(.invalidParameter, "The run \(run.id) must be in the 'active' state. Current state is deleted.")
            }
            let path = try ArtifactPath.check(arguments.text("path")).description
            guard request.headers[.contentLength] != "0" else { throw TrackingError(.invalidParameter, "Request must specify data.") }
            return try await receive(request, at: reached(ArtifactPath.place(of: run.artifactURI) + "/" + path, .trainer))
        }
        router.get("/model-versions/get-artifact") { request, _ in
            let arguments = Arguments(query: request.query)
            let path = try ArtifactPath.check(arguments.text("path")).description
            let number = try RegistryValidation.number(arguments.text("version"))
            try Caller.current.requireModel(arguments.text("name"))
            let version = try await service.registry.version(model: arguments.text("name"), number: number)
            let place = try ArtifactPath.place(of: try await service.place(of: version.source))
            return try await sendReached(place + "/" + path, to: request)
        }
    }

    /// A file at a place that something stored names; what was stored may name another experiment's.
    private func sendReached(_ path: String, to request: Request) async throws -> Response {
        try await send(reached(path, .reader), to: request)
    }

    /// The path, when the caller may reach it.
    private func reached(_ path: String, _ role: AccessRole) async throws(TrackingError) -> String {
        try Caller.current.require(role)
        try await service.requireArtifact(path)
        return path
    }

    private func receive(_ request: Request, at path: String) async throws -> Response {
        try await service.requireUnserved(path)
        let upload = try await service.artifacts.upload(path)
        do {
            for try await buffer in request.body { try await upload.write(Array(buffer.readableBytesView)) }
            // Asked again: while the file came in, the model may have become one that is served.
            try await service.requireUnserved(path)
            try await upload.finish()
        } catch {
            try await upload.abandon()
            throw error
        }
        return Response(status: .ok)
    }

    private static func listing(_ entries: [ArtifactStore.Entry]) -> Reply {
        .object { writer in
            writer.list("files", entries) { writer, entry in
                writer.object { writer in
                    writer.field("path", entry.name)
                    writer.field("is_dir", entry.isDirectory)
                    if !entry.isDirectory { writer.field("file_size", entry.byteCount) }
                }
            }
        }
    }

    /// What follows the route in the URL, its escapes undone once.
    private func path(_ request: Request, _ root: String) throws(TrackingError) -> String {
        let raw = request.uri.path.dropFirst(root.count + 1)
        guard let path = URLText.decode(raw) else { throw TrackingError(.invalidParameter, "Invalid path") }
        return path
    }

    private func send(_ path: String, to request: Request) async throws -> Response {
        let file = try await service.artifacts.file(path)
        let etag = "\"\(file.tag)\""
        let name = file.path.description.split(separator: "/").last.map(String.init) ?? "artifact"
        var headers: HTTPFields = [
            .contentType: MediaKind.of(name), .eTag: etag, .acceptRanges: "bytes",
            .contentDisposition: "attachment; filename*=UTF-8''\(URLText.encode(name))",
        ]
        if request.headers[.ifNoneMatch] == etag { return Response(status: .notModified, headers: headers) }
        var range = 0..<file.byteCount
        var status = HTTPResponse.Status.ok
        if let asked = request.headers[.range], request.headers[.ifRange].map({ $0 == etag }) ?? true {
            switch ByteRange.read(asked, size: file.byteCount) {
            case .whole: break
            case .part(let part):
                range = part
                status = .partialContent
                headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(file.byteCount)"
            case .unsatisfiable:
                return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(file.byteCount)"])
            }
        }
        return Response(status: status, headers: headers, body: body(of: file, range))
    }

    private func body(of file: ArtifactStore.File, _ range: Range<Int64>) -> ResponseBody {
        let artifacts = service.artifacts
        return ResponseBody(contentLength: Int(range.count)) { writer in
            try await artifacts.read(file, range) { try await writer.write(ByteBuffer(bytes: $0)) }
            try await writer.finish(nil)
        }
    }
}

/// One range of bytes as a client asks for it.
///
/// Source: RFC 9110, section 14. Several ranges at once are answered with the whole file, as it allows.
enum ByteRange: Equatable {
    case whole
    case part(Range<Int64>)
    case unsatisfiable

    static func read(_ text: String, size: Int64) -> ByteRange {
        guard text.hasPrefix("bytes="), !text.contains(",") else { return .whole }
        let ends = text.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2 else { return .whole }
        if ends[0].isEmpty {
            guard let count = Int64(ends[1]), count >= 0 else { return .whole }
            return count == 0 || size == 0 ? .unsatisfiable : .part(max(0, size - count)..<size)
        }
        guard let first = Int64(ends[0]), first >= 0 else { return .whole }
        guard first < size else { return .unsatisfiable }
        guard !ends[1].isEmpty else { return .part(first..<size) }
        guard let last = Int64(ends[1]), last >= first else { return .whole }
        return .part(first..<min(size, last &+ 1 > last ? last + 1 : size))
    }
}

/// The `Content-Type` of a file by its name. Markup is sent as text: a browser must not run what somebody uploaded.
enum MediaKind {
    static func of(_ name: String) -> String {
        let ending = name.split(separator: ".").last.map { $0.lowercased() } ?? ""
        if text.contains(ending) || name == "MLmodel" || name == "MLproject" { return "text/plain; charset=utf-8" }
        return binary[ending] ?? "application/octet-stream"
    }

    private static let text: Set<String> = [
        "txt", "log", "json", "jsonl", "yaml", "yml", "csv", "tsv", "md", "py", "xml", "toml", "ini", "cfg", "html", "htm", "svg", "js",
        "css", "sh",
        "sql", "swift",
    ]

    private static let binary: [String: String] = [
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "bmp": "image/bmp",
        "pdf": "application/pdf", "mp4": "video/mp4", "wav": "audio/wav", "mp3": "audio/mpeg", "zip": "application/zip",
        "gz": "application/gzip",
    ]
}
