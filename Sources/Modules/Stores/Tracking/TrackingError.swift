import GRDB

/// Why the tracking store or the registry refused a request, in the words of the MLflow protocol.
package struct TrackingError: Error, Equatable, CustomStringConvertible {
    /// Raw values are the protocol's error codes.
    package enum Code: String, Sendable {
        case badRequest = "BAD_REQUEST"
        case invalidParameter = "INVALID_PARAMETER_VALUE"
        case alreadyExists = "RESOURCE_ALREADY_EXISTS"
        case doesNotExist = "RESOURCE_DOES_NOT_EXIST"
        case endpointNotFound = "ENDPOINT_NOT_FOUND"
        case invalidState = "INVALID_STATE"
        case unauthenticated = "UNAUTHENTICATED"
        case permissionDenied = "PERMISSION_DENIED"
        case conflict = "RESOURCE_CONFLICT"
        case notImplemented = "NOT_IMPLEMENTED"
        case unavailable = "TEMPORARILY_UNAVAILABLE"
        case internalError = "INTERNAL_ERROR"
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(code.rawValue): \(message)" }

    package var isRetriable: Bool { code == .unavailable }

    /// Sorts what a database closure threw.
    package init(_ error: any Error) {
        switch error {
        case let known as TrackingError: self = known
        case let error as DatabaseError where [.SQLITE_FULL, .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_IOERR].contains(error.resultCode):
            self.init(.unavailable, "the tracking database cannot be written now: \(error.message ?? error.resultCode.description)")
        case let error as DatabaseError:
            self.init(.internalError, "the tracking database failed: \(error.message ?? error.resultCode.description)")
        default: self.init(.internalError, String(describing: error))
        }
    }
}
