import Foundation
import HTTPTypes
import Hummingbird
import Tracking
import Web

/// Who may use a server.
package enum TrackAccess: Sendable, Equatable {
    /// Everybody who reaches it.
    case open
    /// Those with a token, and the processes of its own directory.
    case tokens
}

/// Stands before every route: says who sends a request and turns away who may not.
///
/// What is not listed needs a token that reaches everything; routes of the API are held against ``Need`` once their
/// arguments are read, pages see no more than ``ScopedService`` lets through, and files are held against their experiment.
struct AccessGuard: RouterMiddleware {
    typealias Context = WebContext

    let access: TrackAccess
    let tokens: TokenStore
    /// What the other processes of the directory send.
    let directorySecret: String
    let service: TrackService

    func handle(
        _ request: Request, context: WebContext, next: (Request, WebContext) async throws -> Response
    ) async throws -> Response {
        guard access == .tokens else {
            return try await Caller.$current.withValue(.everybody) { try await next(request, context) }
        }
        // What a load balancer and a client's first look ask tells nothing.
        if request.uri.path == "/health" || request.uri.path == "/version" { return try await next(request, context) }
        guard let caller = try await caller(of: request) else { return Self.unauthenticated(request) }
        return try await Caller.$current.withValue(caller) {
            try checkPath(request)
            return try await next(request, context)
        }
    }

    /// Below the API's prefixes each route looks at its caller itself; all else is pages and their files, which are read.
    private func checkPath(_ request: Request) throws(TrackingError) {
        let path = request.uri.path, caller = Caller.current
        guard !Route.prefixes.contains(where: { path.hasPrefix($0 + "/") }), path != TraceRoutes.otlpPath else { return }
        try caller.require(request.method == .get || request.method == .head ? .reader : .admin)
    }

    /// The token of a request: as a bearer, or as the password of a name, as MLflow's clients send it.
    private func caller(of request: Request) async throws(TrackingError) -> Caller? {
        guard let secret = Self.secret(in: request.headers[.authorization] ?? "") else { return nil }
        if TokenSecret.isEqual(secret, directorySecret) { return .directory }
        return try await tokens.verify(secret, now: service.now()).map { Caller($0) }
    }

    static func secret(in header: String) -> String? {
        guard let space = header.firstIndex(of: " ") else { return nil }
        let value = header[header.index(after: space)...].drop { $0 == " " }
        switch header[..<space].lowercased() {
        case "bearer": return String(value)
        case "basic":
            guard let data = Data(base64Encoded: String(value)), let text = String(data: data, encoding: .utf8),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            return String(text[text.index(after: colon)...])
        default: return nil
        }
    }

    /// A browser asks its user for a name and a password, and shows the page when they give none.
    ///
    /// Which of the three a refused token is, is nobody's business who does not have a good one.
    private static func unauthenticated(_ request: Request) -> Response {
        let isBrowser = request.headers[.accept]?.contains("text/html") ?? false
        let refusal =
            request.headers[.authorization] == nil
            ? "This server needs a token" : "The token that was given is not known here, has expired or was revoked"
        var response =
            isBrowser
            ? .page(
                Pages.page(
                    "A token is needed", in: nil,
                    body:
                        "<p role=\"alert\">\(refusal): load the page again and give any name, and the token as password.</p>"
                ),
                status: .unauthorized)
            : Failure.answer(
                TrackingError(
                    .unauthenticated,
                    "\(refusal): set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_PASSWORD with any MLFLOW_TRACKING_USERNAME"))
        response.headers[.wwwAuthenticate] = "Basic realm=\"mlops track\", charset=\"UTF-8\""
        return response
    }
}
