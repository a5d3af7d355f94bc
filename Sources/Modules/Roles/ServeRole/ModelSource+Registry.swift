package import Domain
import Registry
package import Tracking

extension ModelSource {
    /// Models of a tracking server, our own and those that Python has logged.
    /// - Parameter horizon: How far ahead a model predicts that does not say so itself, milliseconds.
    package static func registry(_ client: TrackingClient, horizon: EventTime.Milliseconds) -> ModelSource {
        ModelSource(
            resolve: { model, alias in try await client.version(model: model, alias: alias)?.version },
            load: { version in
                let uri = try await client.downloadURI(version)
                let artefact = try await ModelArtefact.read { path in try await client.download(uri: uri, path: path) }
                let isOwn = !artefact.metadata.view.isEmpty
                return LoadedModel(
                    model: artefact.model, definitionHashes: artefact.metadata.definitionHashes,
                    horizon: isOwn ? artefact.metadata.horizon : horizon)
            })
    }
}
