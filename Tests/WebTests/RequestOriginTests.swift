import HTTPTypes
import Testing

@testable import Web

@Suite struct RequestOriginTests {
    private func isTrusted(_ host: String?, origin: String? = nil, isLoopback: Bool = true) -> Bool {
        var request = HTTPRequest(method: .post, scheme: "http", authority: host, path: "/")
        request.headerFields[.origin] = origin
        return RequestOrigin.isTrusted(request, isLoopback: isLoopback)
    }

    @Test(arguments: ["127.0.0.1:5000", "localhost:8501", "LOCALHOST", "[::1]:5000"])
    func `a program on this machine is trusted under every name of the loopback`(host: String) {
        #expect(isTrusted(host) && isTrusted(host, origin: "http://" + host))
    }

    @Test(arguments: ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "[2001:db8::1]:80"])
    func `a foreign name for the loopback is refused`(host: String) {
        #expect(!isTrusted(host))
    }

    @Test func `a page of another site is refused wherever the server listens`() {
        #expect(!isTrusted("127.0.0.1:5000", origin: "http://evil.example"))
        #expect(!isTrusted("127.0.0.1:5000", origin: "null"))
        #expect(!isTrusted("mlops.internal", origin: "https://evil.example", isLoopback: false))
        #expect(isTrusted("mlops.internal", origin: "https://mlops.internal", isLoopback: false))
        #expect(isTrusted("mlops.internal", isLoopback: false))
    }
}
