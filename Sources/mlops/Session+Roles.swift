import FeatureRole
import FeatureStore
import Features
import Settings

extension Session {
    /// All compiled views, of all streams.
    var views: [CompiledView] { project.compiled.flatMap(\.views.views) }

    var offlineStore: OfflineStore { OfflineStore(log: log, store: store, views: views) }

    func featureRole() throws -> FeatureRole {
        try FeatureRole(
            compiled: project.compiled, projectHash: project.hash, log: log, store: store, logger: logger(.features), wall: wall,
            instance: role.rawValue)
    }
}
