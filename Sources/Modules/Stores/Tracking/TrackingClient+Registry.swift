package import Domain
package import Web

extension TrackingClient {
    /// Makes a registered model of this name when there is none.
    package func ensureModel(_ name: String) async throws(TrackingFailure) {
        do throws(TrackingFailure) {
            _ = try await post("registered-models/create", isIdempotent: true) { $0.field("name", name) }
        } catch {
            guard error.code == .alreadyExists else { throw error }
        }
    }

    /// Registers a run's files as the next version of a model.
    /// - Parameter source: `runs:/ID/path` or the artefact URI itself.
    package func createVersion(
        model: String, source: String, run: String, tags: [(String, String)] = [], description: String = ""
    ) async throws(TrackingFailure) -> RegisteredVersion {
        let answer = try await post("model-versions/create") { writer in
            writer.field("name", model)
            writer.field("source", source)
            writer.field("run_id", run)
            if !description.isEmpty { writer.field("description", description) }
            writer.list("tags", tags) { $0.pair($1) }
        }
        return try registeredVersion(answer["model_version"])
    }

    package func version(_ version: ModelVersion) async throws(TrackingFailure) -> RegisteredVersion {
        let answer = try await get("model-versions/get", [("name", version.model), ("version", String(version.number))])
        return try registeredVersion(answer["model_version"])
    }

    /// The version that an alias stands for; `nil` when the model or the alias does not exist.
    package func version(model: String, alias: String) async throws(TrackingFailure) -> RegisteredVersion? {
        do throws(TrackingFailure) {
            let answer = try await get("registered-models/alias", [("name", model), ("alias", alias)])
            return try registeredVersion(answer["model_version"])
        } catch {
            guard error.code == .invalidParameter || error.code == .doesNotExist else { throw error }
            return nil
        }
    }

    /// What became of an alias since it was last looked at.
    package enum AliasState: Sendable, Equatable {
        case unchanged
        case missing
        case version(RegisteredVersion, etag: String)
    }

    /// Asks for an alias again, cheaply when it has not moved.
    /// - Parameter etag: From the last answer; `nil` the first time.
    package func poll(model: String, alias: String, etag: String?) async throws(TrackingFailure) -> AliasState {
        var call = JSONClient.Call(.get, Self.api + "registered-models/alias")
        call.query = [("name", model), ("alias", alias)]
        if let etag { call.headers = [("if-none-match", etag)] }
        do throws(TrackingFailure) {
            let answer = try await answer(call)
            if answer.status == 304 { return .unchanged }
            let json: JSONValue
            do throws(HTTPFailure) { json = try answer.json(during: "poll of \(model)@\(alias)") } catch { throw TrackingFailure(error) }
            return .version(try registeredVersion(json["model_version"]), etag: answer.etag ?? "")
        } catch {
            guard error.code == .invalidParameter || error.code == .doesNotExist else { throw error }
            return .missing
        }
    }

    /// All versions of a model, newest first.
    package func versions(model: String) async throws(TrackingFailure) -> [RegisteredVersion] {
        let filter = "name = '\(model.replacing("'", with: "''"))'"
        let answer = try await get("model-versions/search", [("filter", filter), ("order_by", "version_number DESC")])
        var versions: [RegisteredVersion] = []
        for value in answer["model_versions"]?.array ?? [] { versions.append(try registeredVersion(value)) }
        return versions
    }

    /// Moves an alias; the server's audit keeps the promotion.
    package func setAlias(model: String, alias: String, version: Int, promotion: Promotion) async throws(TrackingFailure) {
        _ = try await post("registered-models/alias", isIdempotent: true) { writer in
            writer.field("name", model)
            writer.field("alias", alias)
            writer.field("version", String(version))
            writer.field("actor", promotion.actor)
            writer.field("reason", promotion.reason)
            if let verdict = promotion.verdict { writer.field("verdict", verdict) }
        }
    }

    /// Points an alias back at what it stood for before.
    /// - Returns: The version's number.
    package func rollback(model: String, alias: String, promotion: Promotion) async throws(TrackingFailure) -> Int {
        // Not sent twice: each time goes one further back.
        let answer = try await post("registered-models/rollback") { writer in
            writer.field("name", model)
            writer.field("alias", alias)
            writer.field("actor", promotion.actor)
            writer.field("reason", promotion.reason)
        }
        guard let number = answer["promotion"]?["version"]?.int64 else { throw missing("promotion") }
        return Int(number)
    }

    /// A version with its run, the data that run read, and how it came to its aliases.
    package func lineage(_ version: ModelVersion) async throws(TrackingFailure) -> JSONValue {
        try await get("model-versions/lineage", [("name", version.model), ("version", String(version.number))])
    }

    package func deleteAlias(model: String, alias: String) async throws(TrackingFailure) {
        _ = try await send(.delete, "registered-models/alias", isIdempotent: true) { writer in
            writer.field("name", model)
            writer.field("alias", alias)
        }
    }

    package func setVersionTag(_ version: ModelVersion, key: String, value: String) async throws(TrackingFailure) {
        _ = try await post("model-versions/set-tag", isIdempotent: true) { writer in
            writer.field("name", version.model)
            writer.field("version", String(version.number))
            writer.field("key", key)
            writer.field("value", value)
        }
    }

    /// Where a version's files are: an artefact URI for ``download(uri:path:)``.
    package func downloadURI(_ version: ModelVersion) async throws(TrackingFailure) -> String {
        let answer = try await get("model-versions/get-download-uri", [("name", version.model), ("version", String(version.number))])
        return try text(answer["artifact_uri"], "artifact_uri")
    }
}
