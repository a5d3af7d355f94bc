import AsyncHTTPClient
import NIOSSL
package import Web

/// Asks an exchange's REST endpoint for trades of the past, patiently.
package struct HistoryClient: Sendable {
    /// The certificates to trust cannot be read.
    package struct BadTrust: Error, CustomStringConvertible {
        let path: String
        let cause: any Error
        package var description: String { "the certificates of \(path) cannot be read (\(cause))" }
    }

    private let client: JSONClient
    /// Of a client that trusts other certificates than the system's.
    private let own: HTTPClient?

    /// How long a refused or failed request is tried again: about two minutes in all.
    package static let patience = RetryPolicy(attempts: 8, base: .milliseconds(500), cap: .seconds(30))

    /// - Parameter trust: A PEM file of certificates to trust; `nil` for those of the system.
    package init(baseURL: String, trust: String?) throws(BadTrust) {
        var own: HTTPClient?
        if let trust {
            var tls = TLSConfiguration.makeClientConfiguration()
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trust))
            } catch {
                throw BadTrust(path: trust, cause: error)
            }
            own = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .init(tlsConfiguration: tls))
        }
        self.own = own
        client = JSONClient(
            baseURL: baseURL, client: own ?? JSONClient.shared, timeout: .seconds(20), retry: Self.patience, maxAnswerBytes: 32 << 20)
    }

    /// - Throws: ``HTTPFailure`` once patience is over.
    package func fetch(_ request: HistoryRequest) async throws(HTTPFailure) -> [UInt8] {
        var call = JSONClient.Call(.get, request.path)
        call.query = request.query
        return try await client.send(call).body
    }

    package func shutDown() async throws { try await own?.shutdown() }
}
