package import AsyncHTTPClient
import NIOCore
import NIOSSL
import Synchronization

extension JSONClient {
    /// - Parameter authority: A PEM file of the certificates to trust instead of the system's; `nil` for the system's.
    package init(
        baseURL: String, authority: String?, bearer: String? = nil, timeout: Duration = .seconds(30), retry: RetryPolicy = RetryPolicy()
    ) throws(TrustedClients.Unusable) {
        let client = authority == nil ? JSONClient.shared : try TrustedClients.client(authority: authority)
        self.init(baseURL: baseURL, client: client, bearer: bearer, timeout: timeout, retry: retry)
    }
}

/// The process's connections to servers whose certificates an authority of the user's own has signed.
package enum TrustedClients {
    /// Names the file that cannot be used.
    package struct Unusable: Error, CustomStringConvertible {
        package let path: String
        package let cause: any Error
        package var description: String { "cannot use \(path) as authority of certificates: \(cause)" }
    }

    /// They live as long as the process: a client must be shut down before it goes, and everybody shares it.
    private static let clients = Mutex<[String: HTTPClient]>([:])

    /// - Parameter authority: A PEM file of the certificates to trust instead of the system's; `nil` for the system's.
    package static func client(authority: String?) throws(Unusable) -> HTTPClient {
        if let known = clients.withLock({ $0[authority ?? ""] }) { return known }
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5), read: .seconds(60)))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        if let authority {
            var tls = TLSConfiguration.makeClientConfiguration()
            do { tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority)) } catch {
                throw Unusable(path: authority, cause: error)
            }
            configuration.tlsConfiguration = tls
        }
        let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        return clients.withLock { clients in
            if let known = clients[authority ?? ""] {
                // Somebody was quicker; this one has no connection yet.
                Task { try await made.shutdown() }
                return known
            }
            clients[authority ?? ""] = made
            return made
        }
    }
}
