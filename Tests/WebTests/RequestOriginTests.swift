import HTTPTypes
import Testing

@testable import Web

@Suite struct RequestOriginTests {
    private func refusal(
        _ host: String?, origin: String? = nil, hosts: HostNames = .loopback(and: []), method: HTTPRequest.Method = .post,
        path: String = "/"
    ) -> RequestOrigin.Refusal? {
        var request = HTTPRequest(method: method, scheme: "http", authority: host, path: path)
        request.headerFields[.origin] = origin
        return RequestOrigin.refusal(request, hosts: hosts)
    }

    @Test(arguments: ["127.0.0.1:5000", "localhost:8501", "LOCALHOST", "[::1]:5000"])
    func `a program on this machine is trusted under every name of the loopback`(host: String) {
        #expect(refusal(host) == nil && refusal(host, origin: "http://" + host) == nil)
    }

    @Test(arguments: ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "[2001:db8::1]:80"])
    func `a foreign name for the loopback is refused`(host: String) {
        #expect(refusal(host) == .host && refusal(host, method: .get) == .host)
    }

    @Test func `a name that a proxy on this machine answers to is trusted when it is given`() {
        let hosts = HostNames.loopback(and: ["ML.example.com", "*.corp.example"])
        for host in ["ml.example.com", "a.corp.example:443", "127.0.0.1:5000"] { #expect(refusal(host, hosts: hosts) == nil) }
        for host in ["evil.example", "10.0.0.1", "ml.example.com.evil.example"] { #expect(refusal(host, hosts: hosts) == .host) }
    }

    @Test func `a page of another site changes nothing wherever the server listens`() {
        for method in [HTTPRequest.Method.post, .put, .patch, .delete] {
            #expect(refusal("127.0.0.1:5000", origin: "http://evil.example", method: method) == .origin)
        }
        #expect(refusal("127.0.0.1:5000", origin: "null") == .origin)
        #expect(refusal("127.0.0.1:5000", origin: "http://evil.example", method: .get) == nil)
        #expect(refusal("mlops.internal", origin: "https://evil.example", hosts: .any) == .origin)
        #expect(refusal("mlops.internal", origin: "https://mlops.internal", hosts: .any) == nil)
        #expect(refusal("mlops.internal", hosts: .any) == nil)
    }

    @Test(arguments: [
        "10.1.2.3:5000", "[fd00::1]:5000", "203.0.113.5", "mlops-track", "track.team.svc", "track.team.svc.cluster.local:5000",
        "box.local", "LOCALHOST", "ml.example.com:443", "a.b.corp.example", "x.internal",
    ])
    func `an open server is asked under names that nobody outside can own and under those it was given`(host: String) {
        #expect(refusal(host, hosts: .local(and: ["0.0.0.0", "ML.example.com", "*.corp.example"])) == nil)
    }

    @Test(arguments: [
        "evil.com", "evil.com:5000", "10.1.2.3.evil.com", "ml.example.com.evil.com", "corp.example", "xcorp.example", "1.2.3", "1.2.3.256",
        "x.ml.example.com",
    ])
    func `an open server is not asked under a name of the internet`(host: String) {
        #expect(refusal(host, hosts: .local(and: ["0.0.0.0", "ML.example.com", "*.corp.example"])) == .host)
        #expect(refusal(host, hosts: .local(and: ["*"])) == nil)
    }

    @Test func `a load balancer asks for the health under any name`() {
        #expect(refusal("evil.com", method: .get, path: "/health") == nil && refusal("evil.com", method: .get, path: "/version?x") == nil)
        #expect(refusal("evil.com", method: .get, path: "/healthy") == .host)
    }
}
