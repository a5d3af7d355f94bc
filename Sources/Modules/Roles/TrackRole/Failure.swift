import HTTPTypes
import Hummingbird
import Tracking
import Web

/// The protocol's answers to errors.
enum Failure {
    static func answer(_ error: TrackingError) -> Response { .json(json(error), status: status(error.code)) }

    static func json(_ error: TrackingError) -> [UInt8] {
        JSONWriter.object { writer in
            writer.field("error_code", error.code.rawValue)
            writer.field("message", error.message)
        }
    }

    static func status(_ code: TrackingError.Code) -> HTTPResponse.Status {
        switch code {
        case .badRequest, .invalidParameter, .alreadyExists: .badRequest
        case .unauthenticated: .unauthorized
        case .permissionDenied: .forbidden
        case .doesNotExist, .endpointNotFound: .notFound
        case .conflict: .conflict
        case .notImplemented: .notImplemented
        case .unavailable: .serviceUnavailable
        case .invalidState, .internalError: .internalServerError
        }
    }

    /// What the host asks for an error that a handler threw.
    static func answer(_ error: any Error, _ request: Request) -> Response? {
        if let error = error as? TrackingError { return answer(error) }
        switch (error as? RequestError)?.status {
        case .notFound where isProtocol(request.uri.path):
            return answer(
                TrackingError(
                    .endpointNotFound,
                    "This server does not speak \(request.method.rawValue) \(Validation.shown(request.uri.path)); its documentation lists what it leaves out."
                ))
        case .notFound:
            return .page(Pages.page("Not found", in: nil, body: "<p>There is nothing at this address.</p>"), status: .notFound)
        case .serviceUnavailable: return answer(TrackingError(.unavailable, "The request took too long"))
        case .contentTooLarge where TrackRouter.isArtifact(request.head):
            let said = (error as? RequestError)?.message ?? ""
            return answer(
                TrackingError(.badRequest, "\(said), which is what track.max_upload_mb of the server allows"), status: .contentTooLarge)
        case .some(let status): return answer(TrackingError(.badRequest, (error as? RequestError)?.message ?? ""), status: status)
        case nil: return nil
        }
    }

    /// Whether clients ask for it, who read a sentence and not a page.
    private static func isProtocol(_ path: String) -> Bool {
        ["/api/", "/ajax-api/", "/graphql", "/v1/", "/gateway/"].contains { path.hasPrefix($0) }
    }

    private static func answer(_ error: TrackingError, status: HTTPResponse.Status) -> Response {
        var response = answer(error)
        response.status = status
        return response
    }
}
