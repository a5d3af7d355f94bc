import Synchronization
import Testing

@testable import WebSocket

@Suite struct WebSocketAddressTests {
    @Test(arguments: [
        ("wss://ws.kraken.com/v2", true, "ws.kraken.com", 443, "/v2"), ("ws://127.0.0.1:8080", false, "127.0.0.1", 8_080, "/"),
        ("wss://[::1]:9443/stream?streams=a@trade/b@trade", true, "::1", 9_443, "/stream?streams=a@trade/b@trade"),
        ("ws://h?x=1", false, "h", 80, "/?x=1"),
    ])
    func `an address has its parts`(text: String, isSecure: Bool, host: String, port: Int, path: String) throws {
        let address = try #require(WebSocketAddress(text))
        #expect(address.isSecure == isSecure && address.host == host && address.port == port && address.path == path)
    }

    @Test(arguments: [
        "", "http://h", "ws://", "ws:///p", "ws://h:0", "ws://h:x", "ws://h:65536", "ws://[::1", "ws://[::1]x", "ws://a@b", "ws://h/a b",
        "ws://h:",
    ])
    func `what is no address is refused`(text: String) {
        #expect(WebSocketAddress(text) == nil)
    }

    @Test func `the usual port is not named in the host header`() {
        #expect(WebSocketAddress("wss://h:443/")?.hostHeader == "h")
        #expect(WebSocketAddress("ws://[::1]:81")?.hostHeader == "[::1]:81")
    }
}

private final class Count: Sendable {
    let value = Mutex(0)
}

@Suite struct MessageAssemblyTests {
    private var assembly = MessageAssembly(limit: 10)

    @Test mutating func `pieces become a message, and control frames may stand between them`() throws {
        #expect(try assembly.take(.text, isFinal: false, Array("he".utf8)) == .none)
        #expect(try assembly.take(.ping, isFinal: true, [7]) == .answer([7]))
        #expect(try assembly.take(.continuation, isFinal: false, Array("ll".utf8)) == .none)
        #expect(try assembly.take(.pong, isFinal: true, []) == .none)
        #expect(try assembly.take(.continuation, isFinal: true, Array("o".utf8)) == .message(Array("hello".utf8)))
        #expect(try assembly.take(.binary, isFinal: true, [1]) == .message([1]))
    }

    @Test mutating func `a message may have as many bytes as the limit and not one more`() throws {
        #expect(try assembly.take(.text, isFinal: true, [UInt8](repeating: 1, count: 10)) == .message([UInt8](repeating: 1, count: 10)))
        #expect(throws: MessageAssembly.Violation.tooLong) { try assembly.take(.text, isFinal: true, [UInt8](repeating: 1, count: 11)) }
        _ = try assembly.take(.text, isFinal: false, [UInt8](repeating: 1, count: 6))
        #expect(throws: MessageAssembly.Violation.tooLong) { try assembly.take(.continuation, isFinal: true, [1, 2, 3, 4, 5]) }
    }

    @Test func `a message of many pieces is put together at once, and one of too many is refused`() throws {
        var assembly = MessageAssembly(limit: 4 << 20)
        let piece = [UInt8](repeating: 1, count: 1_024), most = MessageAssembly.maxPieces
        _ = try assembly.take(.binary, isFinal: false, piece)
        for _ in 2..<most { _ = try assembly.take(.continuation, isFinal: false, piece) }
        #expect(try assembly.take(.continuation, isFinal: true, piece) == .message([UInt8](repeating: 1, count: most * 1_024)))
        _ = try assembly.take(.text, isFinal: false, [])
        for _ in 2...most { _ = try assembly.take(.continuation, isFinal: false, []) }
        #expect(throws: MessageAssembly.Violation.self) { try assembly.take(.continuation, isFinal: false, []) }
    }

    @Test func `reading waits while too many bytes lie untaken, and goes on once when they are taken`() {
        let ahead = BytesAhead(limit: 10), went = Count()
        func hasRoom() -> Bool { ahead.hasRoom { went.value.withLock { $0 += 1 } } }
        ahead.add(9)
        #expect(hasRoom())
        ahead.add(5)
        #expect(!hasRoom())
        ahead.take(4)
        #expect(!hasRoom() && went.value.withLock { $0 } == 0)
        ahead.take(5)
        #expect(hasRoom() && went.value.withLock { $0 } == 1)
        ahead.take(5)
        #expect(went.value.withLock { $0 } == 1)
    }

    @Test mutating func `frames out of order are violations`() throws {
        #expect(throws: MessageAssembly.Violation.self) { try assembly.take(.continuation, isFinal: true, []) }
        #expect(throws: MessageAssembly.Violation.self) { try assembly.take(.ping, isFinal: false, []) }
        #expect(throws: MessageAssembly.Violation.self) { try assembly.take(.ping, isFinal: true, [UInt8](repeating: 0, count: 126)) }
        #expect(throws: MessageAssembly.Violation.self) { try assembly.take(.close, isFinal: true, [3]) }
        _ = try assembly.take(.text, isFinal: false, [1])
        #expect(throws: MessageAssembly.Violation.self) { try assembly.take(.text, isFinal: true, [1]) }
    }

    @Test mutating func `a closing frame has a code and a reason, or neither`() throws {
        #expect(try assembly.take(.close, isFinal: true, [3, 0xE8] + Array("bye".utf8)) == .closed(code: 1_000, reason: "bye"))
        #expect(try assembly.take(.close, isFinal: true, []) == .closed(code: 1_005, reason: ""))
    }
}

@Suite struct LivenessTests {
    @Test func `a silent server is asked once after half the patience and given up after all of it`() {
        var liveness = Liveness(patience: 100, now: 0)
        #expect(liveness.check(now: 10) == .wait(until: 50))
        #expect(liveness.check(now: 50) == .ask(next: 100))
        #expect(liveness.check(now: 60) == .wait(until: 100))
        #expect(liveness.check(now: 100) == .dead)
    }

    @Test func `whatever is heard begins the patience anew`() {
        var liveness = Liveness(patience: 100, now: 0)
        _ = liveness.check(now: 50)
        liveness.hear(now: 70)
        #expect(liveness.check(now: 100) == .wait(until: 120))
        #expect(liveness.check(now: 120) == .ask(next: 170))
    }

    @Test func `while nobody listens the server is not blamed`() {
        var liveness = Liveness(patience: 100, now: 0)
        liveness.listen(false, now: 10)
        #expect(liveness.check(now: 500) == .wait(until: 550))
        liveness.listen(true, now: 600)
        #expect(liveness.check(now: 640) == .wait(until: 650))
    }
}
