import AsyncHTTPClient
import Foundation
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

    package enum Failure: Error, Equatable, CustomStringConvertible {
        case noHost(String)
        case timedOut(Duration)

        package var description: String {
            switch self {
            case .noHost(let url): "\(url.prefix(200)) has no host that can be looked up"
            case .timedOut(let limit): "no whole answer within \(limit)"
            }
        }
    }

    private static let maxAnswerBytes = 4_096

    /// - Parameters:
    ///   - timeout: For all of it: the look-up of the name, the connection, the answer to its end.
    ///   - allowsPrivate: Takes any address, for networks that are trusted.
    /// - Throws: ``PublicAddress/Refused`` before anything is sent, or why there was no answer. Redirects are not followed.
    package static func send(
        _ body: [UInt8], to url: String, headers: [(name: String, value: String)], timeout: Duration, allowsPrivate: Bool
    ) async throws -> Answer {
        guard let host = host(of: url) else { throw Failure.noHost(url) }
        let answer = try await Deadlines.outgoing.run(within: timeout) {
            let address = try await PublicAddress.find(host, allowsPrivate: allowsPrivate)
            var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)))
            configuration.dnsOverride = [host: address]
            // Whoever delivers decides whether to try again.
            configuration.connectionPool.retryConnectionEstablishment = false
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            do {
                let answer = try await post(body, url, headers, client, .now() + .nanoseconds(JSONClient.nanoseconds(timeout)))
                try await client.shutdown()
                return answer
            } catch {
                try? await client.shutdown()
                throw error
            }
        }
        guard let answer else { throw Failure.timedOut(timeout) }
        return answer
    }

    /// The host of a URL as it is looked up and connected to: an address, or a name in the letters of the internet. A name in
    /// other letters is the one that stands for it there (`bücher.example`: `xn--bcher-kva.example`).
    ///
    /// The client library reads it the same way: were it another, it would look up a name that nobody has looked at.
    /// - Returns: `nil` for a URL without a host, or with one that no name can have.
    package static func host(of url: String) -> String? {
        guard var host = URL(string: url)?.host, !host.isEmpty else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":")].contains(byte)
            }
        }
        return isName ? host : nil
    }

    private static func post(
        _ body: [UInt8], _ url: String, _ headers: [(name: String, value: String)], _ client: HTTPClient, _ deadline: NIODeadline
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        for header in headers { request.headers.add(name: header.name, value: header.value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, deadline: deadline)
        var text: [UInt8] = []
        for try await piece in response.body {
            text += piece.readableBytesView.prefix(maxAnswerBytes - text.count)
            if text.count >= maxAnswerBytes { break }
        }
        try Task.checkCancellation()
        return Answer(status: Int(response.status.code), body: String(decoding: text, as: UTF8.self))
    }
}
