import HTTPTypes
import Hummingbird
import Tracking
import Web

/// All routes of the server: the table of the API, the artefact proxy, the pages.
enum TrackRouter {
    /// The largest body of a JSON request, but for those in ``largeBodies``.
    static let maxJSONBytes = 4 << 20
    /// Requests that the protocol's own limits let grow: the profile of one dataset may have 16 MB, its quotes escaped, a hundred
    /// tags of a model 10 MB.
    private static let largeBodies = [
        "/runs/log-inputs", "/v1/traces", "/runs/log-batch", "/logged-models", "/params", "/registered-models/create",
        "/model-versions/create", "/mlflow/traces",
    ]
    static let maxLargeBytes = 64 << 20
    /// Values in one body: a thousand datasets with all their tags, a thousand metrics with all their fields. In memory a value
    /// is many times its text.
    private static let maxValues = 100_000
    static let artifactPath = "mlflow-artifacts/artifacts"
    private static let artifactPrefixes = Route.prefixes.map { "\($0)/2.0/\(artifactPath)/" }

    static func build(_ service: TrackService, guarded: AccessGuard) -> Router<WebContext> {
        let router = Router(context: WebContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: guarded)
        for route in Route.table { add(route, service, to: router) }
        ArtifactRoutes(service: service).add(to: router)
        TraceRoutes(service: service).add(to: router)
        Pages(service: service).add(to: router)
        router.get("/health") { _, _ in Response.text("OK", type: "text/plain") }
        router.get("/version") { _, _ in Response.text(Route.protocolVersion, type: "text/plain") }
        return router
    }

    /// A file may be large and take its time; everything else is short.
    static func limits(_ request: HTTPRequest, maxUploadBytes: Int) -> HTTPLimits {
        if isArtifact(request) { return HTTPLimits(maxBodyBytes: maxUploadBytes, timeout: nil) }
        return HTTPLimits(maxBodyBytes: maxBodyBytes(path(request)), timeout: .seconds(60))
    }

    private static func path(_ request: HTTPRequest) -> Substring {
        Substring((request.path ?? "").utf8.prefix { $0 != UInt8(ascii: "?") })
    }

    /// Whether a request carries a file or asks for one.
    static func isArtifact(_ request: HTTPRequest) -> Bool {
        let path = path(request)
        return artifactPrefixes.contains { path.hasPrefix($0) } || path == "/ajax-api/2.0/mlflow/upload-artifact"
    }

    private static func maxBodyBytes(_ path: some StringProtocol) -> Int {
        largeBodies.contains { path.hasSuffix($0) } ? maxLargeBytes : maxJSONBytes
    }

    private static func add(_ route: Route, _ service: TrackService, to router: Router<WebContext>) {
        let names = route.pathArguments
        for prefix in Route.prefixes {
            let path = RouterPath("\(prefix)/\(route.version)/mlflow/\(route.path)")
            for kind in route.methods {
                guard let method = HTTPRequest.Method(kind.rawValue) else { continue }
                router.on(path, method: method) { request, context in
                    // Who may not ask at all is not read.
                    try Need.checkRole(route, kind)
                    var arguments = try await arguments(of: request)
                    for name in names {
                        let raw = context.parameters.get(name) ?? ""
                        arguments = arguments.with(name, URLText.decode(raw) ?? raw)
                    }
                    try await Need.check(route, kind, arguments, service)
                    return answer(try await route.handler(service, arguments), to: request)
                }
            }
        }
    }

    private static func arguments(of request: Request) async throws -> Arguments {
        if request.method == .get || request.method == .head { return Arguments(query: request.query) }
        let body = try await request.bytes(upTo: maxBodyBytes(request.uri.path))
        // A form of another site can send text to a browser's routes, but not JSON.
        let isJSON = request.headers[.contentType]?.lowercased().hasPrefix("application/json") ?? false
        guard isJSON || body.isEmpty || !request.uri.path.hasPrefix("/ajax-api/") else {
            throw TrackingError(.badRequest, "Content-Type must be application/json")
        }
        return try arguments(in: body)
    }

    /// From a body of JSON.
    static func arguments(in body: some Collection<UInt8>) throws(TrackingError) -> Arguments {
        guard !body.isEmpty else { return Arguments(.object([])) }
        let json: JSONValue
        do throws(JSONReader.Error) {
            json = try JSONReader.read(body, maxValues: maxValues)
        } catch {
            throw TrackingError(.badRequest, "The request body is not JSON that can be read: \(error)")
        }
        guard case .object = json else { throw TrackingError(.badRequest, "The request body is not a JSON object") }
        return Arguments(json, bodySize: body.count)
    }

    private static func answer(_ reply: Reply, to request: Request) -> Response {
        guard let etag = reply.etag else { return .json(reply.json) }
        if request.headers[.ifNoneMatch] == etag { return Response(status: .notModified, headers: [.eTag: etag]) }
        var response = Response.json(reply.json)
        response.headers[.eTag] = etag
        return response
    }
}
