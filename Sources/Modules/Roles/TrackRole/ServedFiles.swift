import Registry
import Tracking

/// Files of models that are ready or registered are what a server answers with tomorrow: to change them is to promote
/// without an audit, so it asks for the role that may promote.
extension TrackService {
    /// - Parameter orBelow: For a folder that is to be removed with all that is in it.
    func requireUnserved(_ path: String, orBelow: Bool = false) async throws(TrackingError) {
        guard Caller.current.role < .promoter else { return }
        guard try await registry.isServed(path, orBelow: orBelow) else { return }
        throw TrackingError(
            .permissionDenied,
            "Permission denied: '\(Validation.shown(path))' belongs to a model that is ready or registered; to change its files needs a token of role promoter"
        )
    }

    /// A folder that is or holds the whole of an experiment goes with the rights of whoever may delete the experiment.
    func requireRemovable(_ path: String) async throws(TrackingError) {
        guard Caller.current.role < .admin else { return }
        if try await store.holdsExperiment(path) { try Caller.current.require(.admin) }
        try await requireUnserved(path, orBelow: true)
    }

    /// A logged model that a version came from is not taken from under it.
    func requireUnregistered(_ model: LoggedModel) async throws(TrackingError) {
        guard Caller.current.role < .promoter, let place = try? ArtifactPath.place(of: model.artifactURI) else { return }
        guard try await registry.isServed(place, orBelow: true, registeredOnly: true) else { return }
        throw TrackingError(
            .permissionDenied,
            "Permission denied: the logged model '\(model.id)' has registered versions; to change it needs a token of role promoter")
    }
}
