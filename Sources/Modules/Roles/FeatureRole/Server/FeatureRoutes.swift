import Domain
import EventLog
import Features
import FeatureStore
import Hummingbird
import HTTPTypes
import Logging
import NIOCore
import Telemetry
import Web

/// Feast's paths over the project's views.
///
/// The answers are those of Feast's Python server, with two differences: what a caller can mend is status 422 and not 500, and the
/// `Content-Type` of a request does not matter.
struct FeatureRoutes {
    let catalogue: OnlineCatalogue
    /// The one path that must be quick.
    let online: QuickRoute
    /// All the others.
    let others: any HTTPResponder<WebContext>

    init(
        catalogue: OnlineCatalogue, streams: [StreamDefinition], log: any EventLog, metrics: MetricsRegistry, readiness: Readiness,
        maxBodyBytes: Int, logger: Logger, wall: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.catalogue = catalogue
        let known = KnownRequests(catalogue), views = Array(catalogue.views.values)
        online = QuickRoute(.post, "/get-online-features") { _, body in
            do throws(FeastFailure) {
                guard views.allSatisfy(\.isReady) else {
                    throw FeastFailure(status: .serviceUnavailable, type: nil, message: "the features are not loaded yet")
                }
                let request = try body.withUnsafeReadableBytes { bytes in Result { () throws(FeastFailure) in try known.request(bytes) } }
                    .get()
                return QuickRoute.Answer(OnlineAnswer.json(request, now: wall()))
            } catch {
                return QuickRoute.Answer(ByteBuffer(bytes: error.body), status: error.status)
            }
        }
        let router = Router(context: WebContext.self, options: .autoGenerateHeadEndpoints)
        let push = Pusher(streams: streams, log: log, wall: wall, maxBodyBytes: maxBodyBytes, logger: logger)
        router.get("/health") { _, _ in Response(status: .ok) }
        router.post("/push") { request, _ in await push.answer(request) }
        router.post("/write-to-online-store") { request, _ in await Self.refuseWrite(request, catalogue, maxBodyBytes) }
        for path in ["/materialize", "/materialize-incremental"] as [RouterPath] {
            router.post(path) { request, _ in await Self.materialize(request, catalogue, maxBodyBytes) }
        }
        AdminServer.addRoutes(to: router, metrics: metrics, readiness: readiness)
        others = router.buildResponder()
    }

    /// Rows are computed from events; a row that nobody computed would be one that nobody can compute again.
    private static func refuseWrite(_ request: Request, _ catalogue: OnlineCatalogue, _ limit: Int) async -> Response {
        await guarded { () async throws(FeastFailure) in
            let name = try document(try await body(request, limit))["feature_view_name"]?.string ?? ""
            guard catalogue.views[name] != nil else {
                throw FeastFailure(
                    status: .notFound, type: "FeastObjectNotFoundException", message: "Can't recognize feast object with a name \(name)")
            }
            throw .invalid("the rows of \(name) are computed from a stream: push the events to the stream with /push")
        }
    }

    /// The online rows follow the views by themselves: there is nothing to do but to say whether the views exist.
    private static func materialize(_ request: Request, _ catalogue: OnlineCatalogue, _ limit: Int) async -> Response {
        await guarded { () async throws(FeastFailure) in
            let names = try document(try await body(request, limit))["feature_views"]?.array ?? []
            for name in names.compactMap(\.string) where catalogue.views[name] == nil {
                throw .noView(name, project: catalogue.project)
            }
            return .json(Array("null".utf8))
        }
    }

    static func document(_ body: [UInt8]) throws(FeastFailure) -> JSONValue {
        do throws(JSONReader.Error) { return try JSONReader.read(body) } catch { throw .invalid("the body is not JSON: \(error)") }
    }

    static func body(_ request: Request, _ limit: Int) async throws(FeastFailure) -> [UInt8] {
        do { return try await request.bytes(upTo: limit) } catch {
            throw FeastFailure(status: .contentTooLarge, type: nil, message: "the body is larger than \(limit) bytes")
        }
    }

    static func guarded(_ body: () async throws(FeastFailure) -> Response) async -> Response {
        do throws(FeastFailure) { return try await body() } catch { return .json(error.body, status: error.status) }
    }
}

/// `/push`: events into the log, checked as the engine would check them.
private struct Pusher: Sendable {
    let streams: [StreamDefinition]
    let log: any EventLog
    let wall: @Sendable () -> EventTime.Milliseconds
    let maxBodyBytes: Int
    let logger: Logger

    func answer(_ request: Request) async -> Response {
        await FeatureRoutes.guarded { () async throws(FeastFailure) in
            let push = try PushRequest(try await FeatureRoutes.body(request, maxBodyBytes), streams: streams, now: wall())
            do { try await log.append(push.records, to: push.stream.topic) } catch {
                logger.error("pushed events are not stored", metadata: ["stream": "\(push.stream.name)", "error": "\(error)"])
                throw push.failure(unwritten: (error as? EventLogError)?.unwritten)
            }
            return Response(status: .ok)
        }
    }
}
