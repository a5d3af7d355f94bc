package import Domain
import Registry
package import Table
package import Tracking

extension DriftReference {
    /// Reads the training samples of registered versions from a tracking server.
    package static func registry(_ client: TrackingClient) -> @Sendable (ModelVersion) async throws -> Table? {
        { version in
            let uri = try await client.downloadURI(version)
            return try await ModelArtefact.reference { path in try await client.download(uri: uri, path: path) }
        }
    }
}
