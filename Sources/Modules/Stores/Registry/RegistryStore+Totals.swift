import GRDB
package import Tracking

extension RegistryStore {
    /// How many models and versions there are.
    package func totals() async throws(TrackingError) -> (models: Int, versions: Int) {
        try await database.read { db in
            let models = try Int.fetchOne(db, sql: "SELECT count(*) FROM registered_models") ?? 0
            return (models, try Int.fetchOne(db, sql: "SELECT count(*) FROM model_versions") ?? 0)
        }
    }
}
