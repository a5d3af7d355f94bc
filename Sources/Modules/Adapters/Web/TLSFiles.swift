import NIOSSL

/// A server's certificate and its key, as PEM files.
package struct TLSFiles: Sendable, Hashable {
    /// Names the file that cannot be used.
    package struct Unusable: Error, CustomStringConvertible {
        package let path: String
        package let cause: any Error
        package var description: String { "cannot use \(path) for TLS: \(cause)" }
    }

    /// The certificate first, then those that signed it.
    package let certificate: String
    package let key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    func configuration() throws -> TLSConfiguration {
        let chain: [NIOSSLCertificateSource]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
        } catch {
            throw Unusable(path: certificate, cause: error)
        }
        let privateKey: NIOSSLPrivateKey
        do { privateKey = try NIOSSLPrivateKey(file: key, format: .pem) } catch { throw Unusable(path: key, cause: error) }
        var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }
}
