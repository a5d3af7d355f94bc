import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import Web

/// What a host with a quick route and a general one says to raw HTTP.
@Suite struct QuickRouteTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Sends text on one connection, whose last request must close it, and returns everything that comes back.
    private func exchange(_ text: String, limit: Int = 1_000) async throws -> String {
        let router = Router(context: WebContext.self)
        router.get("/slow") { _, _ in
            for _ in 0..<20 { await Task.yield() }
            return Response.text("slow")
        }
        router.post("/echo") { request, _ in Response.text("later \(String(buffer: try await request.body.collect(upTo: limit)))") }
        let echo = QuickRoute(.post, "/echo") { _, body in
            let text = String(buffer: body)
            return text.hasPrefix("wait") ? nil : .init(ByteBuffer(string: "<\(text)>"), status: text.isEmpty ? .badRequest : .ok)
        }
        let get = QuickRoute(.get, "/get") { request, body in .init(ByteBuffer(string: "<\(request.path ?? "")\(body.readableBytes)>")) }
        let host = HTTPHost(
            role: "test", port: 0, responder: router.buildResponder(), quick: [echo, get], limits: { _ in HTTPLimits(maxBodyBytes: limit) },
            logger: Self.quiet)
        let group = ServiceGroup(configuration: .init(services: [host], logger: Self.quiet))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let port = try await host.address.wait().port
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(host: "127.0.0.1", port: port) {
                channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
            let answer = try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: text))
                var all = ByteBuffer()
                for try await part in inbound { all.writeImmutableBuffer(part) }
                return String(buffer: all)
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return answer
        }
    }

    private func post(_ body: String, path: String = "/echo", fields: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private let last = "GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    /// The bodies and statuses of answers, in order.
    private func bodies(_ text: String) -> [String] {
        text.components(separatedBy: "HTTP/1.1 ").dropFirst().map { answer in
            "\(answer.prefix(3)) \(answer.components(separatedBy: "\r\n\r\n").last ?? "")"
        }
    }

    @Test func `quick answers come in the order of the requests, whatever is answered beside them`() async throws {
        let slow = "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let text = try await exchange(post("1") + slow + post("2") + post("3") + slow + post("4") + last)
        #expect(bodies(text) == ["200 <1>", "200 slow", "200 <2>", "200 <3>", "200 slow", "200 <4>", "200 slow"])
    }

    @Test func `what would have to wait is answered by the responder, with all of it and in its turn`() async throws {
        let long = "wait" + String(repeating: "x", count: 900)
        let chunked = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwait\r\n0\r\n\r\n"
        let text = try await exchange(post("1") + post("wait") + post("2") + post(long) + chunked + post("") + post("3") + last)
        #expect(
            bodies(text) == [
                "200 <1>", "200 later wait", "200 <2>", "200 later \(long)", "200 later wait", "400 <>", "200 <3>", "200 slow",
            ])
    }

    @Test func `a request without a body is answered at once as well`() async throws {
        let get = "GET /get?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n"
        #expect(bodies(try await exchange(get + post("1") + get + last)) == ["200 </get?a=b0>", "200 <1>", "200 </get?a=b0>", "200 slow"])
    }

    @Test func `a quick answer has the fields of the others`() async throws {
        let text = try await exchange(post("1", path: "/echo?x=1") + last)
        let head = try #require(text.components(separatedBy: "\r\n\r\n").first)
        let fields = Set(head.components(separatedBy: "\r\n").dropFirst().map { $0.prefix { $0 != ":" }.lowercased() })
        #expect(fields == ["content-type", "content-length", "date", "x-content-type-options", "x-frame-options"])
        #expect(bodies(try await exchange(post("") + last)) == ["400 <>", "200 slow"])
    }

    @Test func `what is more than an answer is left to the others, and decided as ever`() async throws {
        let chunked =
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        #expect(bodies(try await exchange(chunked + post("d") + last)) == ["200 <abc>", "200 <d>", "200 slow"])
        let foreign = post("1", fields: "Origin: http://elsewhere.example\r\n")
        #expect(bodies(try await exchange(foreign + last)).first?.hasPrefix("403") == true)
        #expect(bodies(try await exchange(post("12345", fields: "Connection: close\r\n"), limit: 4)).first?.hasPrefix("413") == true)
        #expect(bodies(try await exchange(post("1", fields: "Connection: close\r\n"))) == ["200 <1>"])
        #expect(bodies(try await exchange(post("1", path: "/echoes") + last)).first?.hasPrefix("404") == true)
    }

    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        ] as [(Int64, String)])
    func `a date is written as HTTP writes it`(second: Int64, text: String) {
        var date = HTTPDate()
        #expect(date.at(second) == text)
        #expect(date.at(second) == text)
    }
}
