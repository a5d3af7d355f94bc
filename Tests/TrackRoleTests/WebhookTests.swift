import Foundation
import Registry
import Testing
import Tracking
import Web

@testable import TrackRole

@Suite struct WebhookTests {
    private static let event = #""events":[{"entity":"MODEL_VERSION_ALIAS","action":"CREATED"}]"#

    private func with(private allowsPrivate: Bool, _ body: (TrackServer) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "track-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await TrackServer.with(directory: directory, allowsPrivateWebhooks: allowsPrivate, body)
    }

    @Test(arguments: [
        "http://example.com/x", "https://127.0.0.1/x", "https://[::1]/x", "https://10.1.2.3", "https://169.254.169.254/latest",
        "https://192.168.0.1/x", "https://localhost/x", "https://0/x", "https://2130706433/x", "https://user:pw@127.0.0.1/", "ftp://a/b",
        "nothing", "", "https://[::ffff:10.0.0.1]/x", "https://no-such-host.invalid/x",
    ])
    func `no webhook leads into a private network`(url: String) async throws {
        try await with(private: false) { (server: TrackServer) async throws in
            let outcome = await server.api(.post, "webhooks", #"{"name":"w","url":"\#(url)",\#(Self.event)}"#)
            #expect(outcome == .refused(400, "INVALID_PARAMETER_VALUE"))
        }
    }

    @Test func `a webhook is told of the event it asked for, and its secret is never told`() async throws {
        try await with(private: true) { (server: TrackServer) async throws in
            // The server itself is the receiver: it answers 404, which a delivery may not try again.
            let url = server.http.baseURL + "/receiver"
            let made = await server.api(.post, "webhooks", #"{"name":"w","url":"\#(url)","secret":"hush",\#(Self.event)}"#)
            let id = try #require(made.json?["webhook"]?["webhook_id"]?.string)
            let found = await server.api(.get, "webhooks/" + id).json?["webhook"]
            #expect(found?["secret"] == nil && found?["status"]?.string == "ACTIVE")
            let test = await server.api(.post, "webhooks/\(id)/test", "{}").json?["result"]
            #expect(test?["response_status"]?.int64 == 404 && test?["success"]?.bool == false)
            let database = try #require(FileManager.default.contents(atPath: server.directory + "/tracking.sqlite-wal"))
            #expect(database.range(of: Data("hush".utf8)) == nil)
            #expect(await server.api(.patch, "webhooks/" + id, #"{"status":"DISABLED"}"#).json?["webhook"]?["status"]?.string == "DISABLED")
            #expect(await server.api(.get, "webhooks").json?["webhooks"]?.array?.count == 1)
            #expect(await server.api(.delete, "webhooks/" + id, "{}").status == 200)
            #expect(await server.api(.get, "webhooks/" + id) == .refused(404, "RESOURCE_DOES_NOT_EXIST"))
        }
    }

    @Test(arguments: [
        #"{"url":"https://a.b","events":[]}"#,
        #"{"name":"a b","url":"https://1.1.1.1","events":[{"entity":"MODEL_VERSION","action":"CREATED"}]}"#,
        #"{"name":"a","url":"https://1.1.1.1","events":[{"entity":"MODEL_VERSION","action":"SET"}]}"#,
        #"{"name":"a","url":"https://1.1.1.1","events":[{"entity":"NOTHING","action":"SET"}]}"#,
    ])
    func `a webhook that is not well formed is refused`(body: String) async throws {
        try await with(private: true) { (server: TrackServer) async throws in
            #expect(await server.api(.post, "webhooks", body) == .refused(400, "INVALID_PARAMETER_VALUE"))
        }
    }

    @Test func `a signature covers id, time and payload`() {
        // openssl dgst -sha256 -hmac secret over "d.7.{}".
        let signature = WebhookStore.signature(secret: "secret", delivery: "d", timestamp: 7, payload: Array("{}".utf8))
        #expect(signature == "v1,n7cHthY6tCsAJ1cn3Rd+iymwjaB8HHpkmeUamDlAINU=")
        #expect(WebhookStore.signature(secret: "secret", delivery: "d", timestamp: 8, payload: Array("{}".utf8)) != signature)
    }
}
