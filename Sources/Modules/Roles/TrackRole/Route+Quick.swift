import HTTPTypes
import NIOCore
import Tracking
import Web

extension Route {
    /// The routes that are one operation, answered on the event loop when that need not wait.
    ///
    /// For a server that is open to everybody: to look up a token is to wait.
    static func quick(_ service: TrackService) -> [QuickRoute] {
        table.flatMap { route in
            guard let operation = route.operation else { return [QuickRoute]() }
            return route.methods.compactMap { HTTPRequest.Method($0.rawValue) }.map { method in
                QuickRoute(method, "/api/\(route.version)/mlflow/\(route.path)") { request, body in
                    // What takes longer to read than others may be kept waiting is left to a task.
                    guard body.readableBytes <= maxQuickBytes else { return nil }
                    return Caller.$current.withValue(.everybody) { answer(operation, service, request, body) }
                }
            }
        }
    }

    private static let maxQuickBytes = 64 << 10

    private static func answer(
        _ operation: Operation, _ service: TrackService, _ request: HTTPRequest, _ body: ByteBuffer
    ) -> QuickRoute.Answer? {
        do {
            let arguments =
                request.method == .get
                ? Arguments(query: query(of: request)) : try TrackRouter.arguments(in: body.readableBytesView)
            guard let reply = try service.store.database.runNow(operation(service, arguments)) else { return nil }
            return QuickRoute.Answer(ByteBuffer(bytes: reply.json))
        } catch let error as TrackingError {
            return QuickRoute.Answer(ByteBuffer(bytes: Failure.json(error)), status: Failure.status(error.code))
        } catch {
            return nil
        }
    }

    private static func query(of request: HTTPRequest) -> [(name: String, value: String)] {
        guard let path = request.path, let mark = path.firstIndex(of: "?") else { return [] }
        return URLText.query(String(path[path.index(after: mark)...]))
    }
}
