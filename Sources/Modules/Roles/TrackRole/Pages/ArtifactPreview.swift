import HTTPTypes
import Hummingbird
import NIOCore
import ObjectStore
import Tracking
import Web

/// Sends a file to an `<img>`, a player or a sandboxed frame of a page.
///
/// Whatever the file holds, the policy it comes with gives it an origin of its own without rights: it reaches neither this
/// server nor the network, wherever it is opened.
struct ArtifactPreview: Sendable {
    let service: ScopedService

    private static let maxBytes: Int64 = 64 << 20

    func send(_ query: PageQuery) async throws -> Response {
        let root = try ArtifactPath.place(of: query["uri"])
        let path = try ArtifactPath.check(query["path"]).description
        let file = try await service.artifacts.file(root + "/" + path)
        guard file.byteCount <= Self.maxBytes else {
            throw TrackingError(.invalidParameter, "The file is larger than \(NumberText.bytes(Self.maxBytes)); download it")
        }
        let artifacts = service.artifacts
        let body = ResponseBody(contentLength: Int(file.byteCount)) { writer in
            try await artifacts.read(file, 0..<file.byteCount) { try await writer.write(ByteBuffer(bytes: $0)) }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: Self.headers(path, runsScripts: query["scripts"] == "on"), body: body)
    }

    static func headers(_ path: String, runsScripts: Bool) -> HTTPFields {
        let ending = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
        let type =
            switch ArtifactViewer.Kind(name: path) {
            case .html: "text/html; charset=utf-8"
            case .picture where ending == "svg": "image/svg+xml"
            case .audio where ending != "wav" && ending != "mp3": "audio/\(ending)"
            case .video where ending != "mp4": "video/\(ending)"
            default: MediaKind.of(path)
            }
        let scripts = runsScripts ? "script-src 'unsafe-inline' 'unsafe-eval' data: blob:; worker-src blob:; " : ""
        return [
            .contentType: type, .cacheControl: "no-store",
            .contentSecurityPolicy:
                "sandbox\(runsScripts ? " allow-scripts" : ""); default-src 'none'; \(scripts)style-src 'unsafe-inline'; "
                + "img-src data: blob:; font-src data:; media-src data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
        ]
    }
}
