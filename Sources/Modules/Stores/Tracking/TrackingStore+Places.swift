import GRDB
import ObjectStore

/// Whose files lie where below the artefact root.
extension TrackingStore {
    /// SQL for the place below the root that an artefact URI of this server in `column` stands for.
    package static func placeSQL(_ column: String) -> String { "trim(substr(\(column), \(artifactScheme.utf8.count + 1)), '/')" }

    /// An experiment by both its names.
    package struct ExperimentName: Sendable, Equatable {
        package let id: String
        package let name: String
    }

    /// The experiments whose place is the innermost one that holds a path; more than one when they share it.
    package func experiments(owning path: String) async throws(TrackingError) -> [ExperimentName] {
        let path = try ArtifactPath.check(path).description
        return try await database.read { db in
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT CAST(id AS TEXT) AS id, name, length(place) AS size
                        FROM (SELECT id, name, \(Self.placeSQL("artifact_location")) AS place FROM experiments
                              WHERE artifact_location GLOB '\(Self.artifactScheme)*')
                        WHERE ?1 = place OR substr(?1, 1, length(place) + 1) = place || '/' ORDER BY size DESC
                        """), arguments: [path])
            guard let innermost = rows.first.map({ $0["size"] as Int }) else { return [] }
            return rows.prefix { $0["size"] == innermost }.map { ExperimentName(id: $0["id"], name: $0["name"]) }
        }
    }

    /// Whether a folder is the whole place of an experiment, or holds one.
    package func holdsExperiment(_ folder: String) async throws(TrackingError) -> Bool {
        let folder = try ArtifactPath.check(folder).description
        return try await database.read { try Self.overlaps(folder, upwards: false, $0) }
    }

    /// Whether a place is, holds or lies in that of an experiment.
    package func overlapsExperiment(_ place: String) async throws(TrackingError) -> Bool {
        let place = try ArtifactPath.check(place).description
        return try await database.read { try Self.overlaps(place, upwards: true, $0) }
    }

    private static func overlaps(_ folder: String, upwards: Bool, _ db: Database) throws -> Bool {
        let outer = upwards ? "OR substr(?1, 1, length(place) + 1) = place || '/'" : ""
        return try Int.fetchOne(
            db,
            sql: """
                SELECT 1 FROM (SELECT \(placeSQL("artifact_location")) AS place FROM experiments
                               WHERE artifact_location GLOB '\(artifactScheme)*')
                WHERE place = ?1 OR substr(place, 1, length(?1) + 1) = ?1 || '/' \(outer) LIMIT 1
                """, arguments: [folder]) != nil
    }
}
