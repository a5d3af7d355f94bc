import Domain
import Inference
import Learning
import Logging
import Registry
import Tracking

extension TrainRole {
    /// The champion of the model, if there is one that can be loaded.
    ///
    /// A champion whose files are damaged cannot be served either: it is left out, loudly, rather than keeping every
    /// successor away. A server that does not answer is an error.
    func champion() async throws -> TrainingRun.Champion? {
        guard let version = try await tracking.version(model: definition.model, alias: Self.championAlias) else { return nil }
        let uri = try await tracking.downloadURI(version.version)
        let artefact: ModelArtefact
        do {
            artefact = try await ModelArtefact.read { try await tracking.download(uri: uri, path: $0) }
        } catch let error as TrackingFailure where error.code != .doesNotExist {
            throw error
        } catch {
            logger.error("the champion cannot be read and is left out", metadata: ["version": "\(version.version)", "reason": "\(error)"])
            return nil
        }
        // Who trained elsewhere says nothing about its data: what came after it was registered is certainly new to it.
        return TrainingRun.Champion(
            name: "champion v\(version.number)", model: artefact.model,
            learntUntil: artefact.metadata.learntUntil ?? version.creationTime)
    }
}
