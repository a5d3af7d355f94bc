import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends a body to an address that a stranger chose: only to public ones, and to the very one that was looked at.
package enum PublicPost {
    package struct Answer: Sendable {
        package let status: Int
        /// The beginning of it.
        package let body: String
    }

    private static let maxAnswerBytes = 4_096

    /// - Parameters:
    ///   - host: Of the URL, without brackets.
    ///   - allowsPrivate: Takes any address, for networks that are trusted.
    /// - Throws: ``PublicAddress/Refused`` before anything is sent, or why there was no answer. Redirects are not followed.
    package static func send(
        _ body: [UInt8], to url: String, host: String, headers: [(name: String, value: String)], allowsPrivate: Bool
    ) async throws -> Answer {
        let address = try await PublicAddress.find(host, allowsPrivate: allowsPrivate)
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)))
        configuration.dnsOverride = [host: address]
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let answer = try await post(body, url, headers, client)
            try await client.shutdown()
            return answer
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private static func post(
        _ body: [UInt8], _ url: String, _ headers: [(name: String, value: String)], _ client: HTTPClient
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        for header in headers { request.headers.add(name: header.name, value: header.value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, deadline: .now() + .seconds(10))
        var text: [UInt8] = []
        for try await piece in response.body {
            text += piece.readableBytesView.prefix(maxAnswerBytes - text.count)
            if text.count >= maxAnswerBytes { break }
        }
        return Answer(status: Int(response.status.code), body: String(decoding: text, as: UTF8.self))
    }
}
