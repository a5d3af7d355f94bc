import Registry
import Tracking

extension TrackService {
    /// Where a client finds a version's files: the source itself, except that a logged model is followed to its place.
    func downloadURI(of version: RegisteredVersion) async throws(TrackingError) -> String {
        guard version.source.hasPrefix("models:/") else { return version.source }
        return try await place(of: version.source)
    }

    /// The artefact URI behind `runs:/…` and `models:/…`; anything else as it is.
    func place(of source: String, depth: Int = 0) async throws(TrackingError) -> String {
        if source.hasPrefix("runs:/") {
            let parts = source.dropFirst(6).split(separator: "/", maxSplits: 1)
            guard let run = parts.first else { return source }
            let place = try await store.run(id: String(run)).info.artifactURI
            return parts.count > 1 ? place + "/" + parts[1] : place
        }
        guard source.hasPrefix("models:/") else { return source }
        if source.hasPrefix("models:/m-") { return try await store.loggedModel(id: String(source.dropFirst(8))).artifactURI }
        guard depth < Self.maxCopies else {
            throw TrackingError(.invalidParameter, "'\(Validation.shown(source))' is a copy of copies beyond \(Self.maxCopies)")
        }
        return try await place(of: version(named: String(source.dropFirst(8))).source, depth: depth + 1)
    }

    /// A version whose source is a version whose source is …: no further than this.
    private static let maxCopies = 8

    /// `NAME/3` or `NAME@alias`.
    private func version(named text: String) async throws(TrackingError) -> RegisteredVersion {
        if let at = text.lastIndex(of: "@") {
            return try await registry.version(model: String(text[..<at]), alias: String(text[text.index(after: at)...]))
        }
        let parts = text.split(separator: "/")
        guard parts.count == 2 else {
            throw TrackingError(.invalidParameter, "'models:/\(Validation.shown(text))' names no version of a registered model")
        }
        return try await registry.version(model: String(parts[0]), number: RegistryValidation.number(String(parts[1])))
    }

    /// A source on this server must be a place of the run or the logged model it is said to come from: nothing else may be
    /// reached through it.
    ///
    /// A version of a prompt has no source; the registry holds what stands for it against the few that may.
    func checkSource(of new: RegistryStore.NewVersion) async throws(TrackingError) {
        guard !Prompts.isPrompt(new.tags) else { return }
        func refuse(_ parameter: String) -> TrackingError {
            TrackingError(
                .invalidParameter,
                "Invalid model version source: '\(Validation.shown(new.source))'. The \(parameter) request parameter must identify the resource that contains the source."
            )
        }
        if new.source.hasPrefix("models:/m-") {
            guard new.source.dropFirst(8) == new.loggedModel else { throw refuse("model_id") }
        } else if new.source.hasPrefix("models:/") {
            let model = new.source.dropFirst(8).prefix { $0 != "/" && $0 != "@" }
            guard try await !registry.isPrompt(String(model)) else {
                throw TrackingError(
                    .invalidParameter,
                    "Invalid model version source: '\(Validation.shown(new.source))'. Prompt versions cannot be used as model version sources."
                )
            }
            _ = try await place(of: new.source)
        } else if new.source.hasPrefix(TrackingStore.artifactScheme) {
            var homes: [String] = []
            if !new.run.isEmpty { homes.append(try await store.run(id: new.run).info.artifactURI) }
            if !new.loggedModel.isEmpty { homes.append(try await store.loggedModel(id: new.loggedModel).artifactURI) }
            guard homes.contains(where: { new.source == $0 || new.source.hasPrefix($0 + "/") }) else { throw refuse("run_id") }
        }
    }
}
