import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing

@testable import Web

@Suite struct HostTests {
    /// Runs a host on a free port for the time of a test.
    private func withHost(
        limits: HTTPLimits = HTTPLimits(), _ routes: (Router<WebContext>) -> Void, _ body: (JSONClient) async throws -> Void
    ) async throws {
        let router = Router(context: WebContext.self)
        routes(router)
        let host = HTTPHost(
            role: "test", port: 0, responder: router.buildResponder(), limits: { _ in limits },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let group = ServiceGroup(configuration: .init(services: [host], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let place = try await host.address.wait()
            try await body(JSONClient(baseURL: place.url, timeout: .seconds(600), retry: RetryPolicy(attempts: 3, base: .milliseconds(1))))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private func failure(_ client: JSONClient, _ call: JSONClient.Call) async -> HTTPFailure? {
        do throws(HTTPFailure) {
            _ = try await client.send(call)
            return nil
        } catch {
            return error
        }
    }

    private func status(_ client: JSONClient, _ call: JSONClient.Call) async -> HTTPFailure.Code? { await failure(client, call)?.code }

    @Test func `the chosen port is known once the host answers`() async throws {
        try await withHost({ $0.get("/x") { _, _ in Response.text("hi") } }) { (client: JSONClient) async throws in
            let answer = try await client.send(.init(.get, "/x"))
            #expect(answer.status == 200 && answer.body == Array("hi".utf8))
        }
    }

    @Test func `a body beyond the limit is refused, with its length known or not`() async throws {
        try await withHost(
            limits: HTTPLimits(maxBodyBytes: 100),
            { router in
                router.post("/x") { request, _ in
                    let bytes = try await request.bytes(upTo: 1_000_000)
                    return Response.text("\(bytes.count)")
                }
            }
        ) { (client: JSONClient) async throws in
            var call = JSONClient.Call(.post, "/x")
            call.body = Array(repeating: 1, count: 100)
            #expect(try await client.send(call).body == Array("100".utf8))
            call.body = Array(repeating: 1, count: 101)
            #expect(await status(client, call) == .status(413))
        }
    }

    @Test func `a handler that takes too long is answered for`() async throws {
        try await withHost(
            limits: HTTPLimits(timeout: .milliseconds(20)),
            { router in
                router.put("/slow") { _, _ in
                    try await Task.sleep(for: .seconds(60))
                    return Response.text("late")
                }
            }
        ) { (client: JSONClient) async throws in
            #expect(await status(client, .init(.put, "/slow", isIdempotent: false)) == .status(503))
        }
    }

    @Test func `what a handler throws is not shown to the stranger`() async throws {
        struct Secret: Error { let detail = "hunter2" }
        try await withHost({ $0.post("/x") { _, _ -> Response in throw Secret() } }) { (client: JSONClient) async throws in
            let failure = await self.failure(client, .init(.post, "/x"))
            #expect(failure?.code == .status(500))
            #expect(failure.map { !String(decoding: $0.body, as: UTF8.self).contains("hunter2") } == true)
        }
    }

    @Test func `an idempotent call is tried again after a 500, another is not`() async throws {
        let calls = Calls()
        try await withHost({ router in
            let answer: @Sendable (Request, WebContext) async throws -> Response = { request, _ in
                calls.add(request.method.rawValue) < 3 ? Response.text("no", status: .internalServerError) : Response.text("yes")
            }
            router.get("/x", use: answer)
            router.post("/x", use: answer)
        }) { (client: JSONClient) async throws in
            #expect(try await client.send(.init(.get, "/x")).body == Array("yes".utf8))
            #expect(calls.count("GET") == 3)
            #expect(await status(client, .init(.post, "/x")) == .status(500))
            #expect(calls.count("POST") == 1)
        }
    }

    private final class Calls: Sendable {
        private let counts = Mutex<[String: Int]>([:])
        func add(_ method: String) -> Int {
            counts.withLock { counts in
                counts[method, default: 0] += 1
                return counts[method] ?? 0
            }
        }
        func count(_ method: String) -> Int { counts.withLock { $0[method] ?? 0 } }
    }

    @Test func `nobody listening is an unreachable server, not a broken one`() async throws {
        let client = JSONClient(baseURL: "http://127.0.0.1:1", retry: .none)
        #expect(await status(client, .init(.get, "/")) == .unreachable)
    }

    @Test func `a port in use is named in the error`() async throws {
        try await withHost({ _ in }) { (client: JSONClient) async throws in
            let port = try #require(Int(client.baseURL.split(separator: ":").last ?? ""))
            let second = HTTPHost(
                role: "test", port: port, responder: Router(context: WebContext.self).buildResponder(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            do {
                try await second.run()
                Issue.record("the port is taken")
            } catch {
                #expect("\(error)".hasPrefix("cannot listen on 127.0.0.1:\(port): another process does already"))
            }
            await #expect(throws: (any Error).self) { try await second.address.wait() }
        }
    }

    @Test func `health, readiness and metrics stand on the admin port`() async throws {
        let readiness = Readiness()
        readiness.expect("store")
        try await withHost({ AdminServer.addRoutes(to: $0, metrics: MetricsRegistry(), readiness: readiness) }) {
            (client: JSONClient) async throws in
            #expect(try await client.send(.init(.get, "/healthz")).status == 200)
            let once = JSONClient(baseURL: client.baseURL, retry: .none)
            #expect(await status(once, .init(.get, "/readyz")) == .status(503))
            readiness.set("store", true)
            #expect(try await once.json(.init(.get, "/readyz"))["checks"]?["store"] == .bool(true))
            let metrics = String(decoding: try await once.send(.init(.get, "/metrics")).body, as: UTF8.self)
            #expect(metrics.contains("# TYPE process_resident_memory_bytes gauge"))
        }
    }
}
