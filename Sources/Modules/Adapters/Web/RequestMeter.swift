import HTTPTypes
import Metrics
import Synchronization

/// Counts and times requests by route, never by the path a stranger typed.
struct RequestMeter: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    private final class Known: Sendable {
        let series = Mutex<[Key: (Counter, Metrics.Timer)]>([:])
    }

    private let role: String
    private let known = Known()

    init(role: String) { self.role = role }

    func record(_ method: HTTPRequest.Method, route: String?, status: Int, duration: Duration) {
        let key = Key(method: Self.name(method), route: route ?? "none", status: status)
        let (counter, timer) = known.series.withLock { series in
            if let pair = series[key] { return pair }
            let dimensions = [("role", role), ("method", key.method), ("route", key.route)]
            let pair = (
                Counter(label: "mlops_http_requests_total", dimensions: dimensions + [("status", String(status))]),
                Metrics.Timer(label: "mlops_http_request_duration_seconds", dimensions: dimensions)
            )
            series[key] = pair
            return pair
        }
        counter.increment()
        let (seconds, attoseconds) = duration.components
        timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    private static func name(_ method: HTTPRequest.Method) -> String {
        switch method {
        case .get, .post, .put, .patch, .delete, .head, .options: method.rawValue
        default: "other"
        }
    }
}
