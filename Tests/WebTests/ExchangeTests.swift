import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import Web

/// Requests to others: how long they may take, and where they may lead.
@Suite struct ExchangeTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A host that sends the beginning of a body and nothing more at `/begins`, and nothing at all at `/silent`.
    private func withHost(_ body: (String, Counted) async throws -> Void) async throws {
        let counted = Counted(), router = Router(context: WebContext.self)
        let begins: @Sendable (Request, WebContext) async throws -> Response = { _, _ in
            counted.add()
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "{"))
                    try await Task.sleep(for: .seconds(86_400))
                    try await writer.finish(nil)
                })
        }
        let silent: @Sendable (Request, WebContext) async throws -> Response = { _, _ in
            counted.add()
            try await Task.sleep(for: .seconds(86_400))
            return Response.text("")
        }
        for (path, answer) in [("/begins", begins), ("/silent", silent)] {
            router.get(RouterPath(path), use: answer)
            router.post(RouterPath(path), use: answer)
        }
        router.post("/answers") { _, _ in
            counted.add()
            return Response.text("taken")
        }
        let host = HTTPHost(role: "test", port: 0, responder: router.buildResponder(), limits: { _ in HTTPLimits() }, logger: Self.quiet)
        let group = ServiceGroup(configuration: .init(services: [host], logger: Self.quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try? await group.run() }
            let url = try await host.address.wait().url
            try await body(url, counted)
            tasks.cancelAll()
        }
    }

    final class Counted: Sendable {
        private let requests = Mutex(0)
        var count: Int { requests.withLock { $0 } }
        func add() { requests.withLock { $0 += 1 } }
    }

    @Test(arguments: ["/begins", "/silent"])
    func `a request ends in its time though the answer does not`(path: String) async throws {
        try await withHost { (url: String, counted: Counted) async throws in
            let client = JSONClient(baseURL: url, timeout: .milliseconds(300), retry: .none)
            var failure: HTTPFailure?
            do throws(HTTPFailure) { _ = try await client.send(.init(.get, path)) } catch { failure = error }
            #expect(failure?.code == .timedOut)
            #expect(counted.count <= 1)
        }
    }

    @Test(arguments: ["/begins", "/silent"])
    func `a post to a stranger ends in its time though the answer does not`(path: String) async throws {
        try await withHost { (url: String, _: Counted) async throws in
            await #expect(throws: (any Error).self) {
                try await PublicPost.send([], to: url + path, headers: [], timeout: .milliseconds(300), allowsPrivate: true)
            }
        }
    }

    @Test func `a post leads into no private network, and to nobody there`() async throws {
        try await withHost { (url: String, counted: Counted) async throws in
            let post = { (isAllowed: Bool) in
                try await PublicPost.send([], to: url + "/answers", headers: [], timeout: .seconds(600), allowsPrivate: isAllowed)
            }
            await #expect(throws: PublicAddress.Refused.self) { try await post(false) }
            #expect(counted.count == 0)
            let answer = try await post(true)
            #expect(answer.body == "taken")
            #expect(counted.count == 1)
        }
    }

    /// The library asks the system for another name than the one that was looked at, unless both read the URL alike: then a
    /// name that leads to a private address only when it is asked again would lead there.
    @Test(arguments: [
        ("https://bücher.example/x", "xn--bcher-kva.example"), ("https://例え.テスト:8443/", "xn--r8jz45g.xn--zckzah"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"), ("https://a_b.example", "a_b.example"), ("https://[::1]:8/", "::1"),
        ("https://1.2.3.4/é", "1.2.3.4"),
    ])
    func `a host is the one that is connected to`(url: String, host: String) {
        #expect(PublicPost.host(of: url) == host)
    }

    @Test(arguments: ["https://b%C3%BCcher.example/", "https:///x", "nothing", "", "https://a b/"])
    func `a host that cannot be looked up is none`(url: String) { #expect(PublicPost.host(of: url) == nil) }

    @Test func `who waits for a name may give up`() async throws {
        let gate = DispatchSemaphore(value: 0), began = Counted()
        let waiting = Task {
            await NameLookup().run {
                began.add()
                gate.wait()
                return .success("late")
            }
        }
        while began.count == 0 { await Task.yield() }
        waiting.cancel()
        await #expect(throws: PublicAddress.Refused.self) { try await waiting.value.get() }
        gate.signal()
        #expect(await NameLookup().run { .success("1.2.3.4") } == .success("1.2.3.4"))
    }
}
