import Domain
import GRDB
import ObjectStore
package import Tracking

extension RegistryStore {
    /// Whether files at a path belong to what is served: to a registered version, or to a logged model that is ready to be one.
    ///
    /// - Parameters:
    ///   - path: Below the artefact root.
    ///   - orBelow: Also when such files lie below it, as those of a folder that is to be removed.
    ///   - registeredOnly: Leaves out logged models that no version came from.
    /// - Complexity: O(parts of the path) in the indexes; with `orBelow` O(versions + logged models).
    package func isServed(_ path: String, orBelow: Bool = false, registeredOnly: Bool = false) async throws(TrackingError) -> Bool {
        let path = try ArtifactPath.check(path).description
        // A place is made of ids: only the runs and models that a path names can own it.
        let parts = path.split(separator: "/").map(String.init)
        var prefixes: [String] = []
        for count in parts.indices {
            let prefix = parts[...count].joined(separator: "/")
            for slashes in ["", "//"] { for end in ["", "/"] { prefixes.append(TrackingStore.artifactScheme + slashes + prefix + end) } }
        }
        let ids = parts, uris = prefixes
        return try await database.read { db in
            let ready = registeredOnly ? "0" : "l.status = 'LOGGED_MODEL_READY' AND l.deleted = 0"
            let known: StatementArguments = [path, Self.text(ids), Self.text(uris)]
            if try Int.fetchOne(db, sql: Self.placesOf(ready) + Self.holds, arguments: known) != nil { return true }
            guard orBelow else { return false }
            return try Int.fetchOne(db, sql: Self.allPlaces(ready) + Self.lies, arguments: [path]) != nil
        }
    }

    private static func text(_ texts: [String]) -> String { String(decoding: JSONText.array(texts.map { .string($0) }), as: UTF8.self) }

    /// What follows the run in `runs:/ID/path`, with its slash.
    private static let rest = "rtrim(substr(v.source, 7 + length(r.id)), '/')"
    private static let holds = " SELECT 1 FROM served WHERE ?1 = place OR substr(?1, 1, length(place) + 1) = place || '/' LIMIT 1"
    private static let lies = " SELECT 1 FROM served WHERE substr(place, 1, length(?1) + 1) = ?1 || '/' LIMIT 1"

    /// Places that a path can lie in, from its parts and from the URIs of the folders it is in.
    private static func placesOf(_ ready: String) -> String {
        """
        WITH parts(part) AS (SELECT value FROM json_each(?2)), served(place) AS (
            SELECT \(TrackingStore.placeSQL("r.artifact_uri")) || \(rest) FROM parts CROSS JOIN runs r ON r.id = part
            CROSS JOIN model_versions v ON v.source >= 'runs:/' || part AND v.source < 'runs:/' || part || '0'
            UNION ALL SELECT \(TrackingStore.placeSQL("l.artifact_uri")) FROM parts CROSS JOIN logged_models l ON l.id = part
            WHERE (\(ready)) OR EXISTS (SELECT 1 FROM model_versions v WHERE v.source = 'models:/' || part)
            UNION ALL SELECT \(TrackingStore.placeSQL("source")) FROM model_versions WHERE source IN (SELECT value FROM json_each(?3)))
        """
    }

    private static func allPlaces(_ ready: String) -> String {
        """
        WITH served(place) AS (
            SELECT \(TrackingStore.placeSQL("r.artifact_uri")) || \(rest) FROM model_versions v CROSS JOIN runs r
            ON r.id = substr(v.source, 7, instr(substr(v.source, 7) || '/', '/') - 1) WHERE v.source GLOB 'runs:/*'
            UNION ALL SELECT \(TrackingStore.placeSQL("l.artifact_uri")) FROM logged_models l
            WHERE (\(ready)) OR EXISTS (SELECT 1 FROM model_versions v WHERE v.source = 'models:/' || l.id)
            UNION ALL SELECT \(TrackingStore.placeSQL("source")) FROM model_versions
            WHERE source GLOB '\(TrackingStore.artifactScheme)*')
        """
    }
}
