import Web

extension TrackingClient {
    /// One file or folder below an artefact URI.
    package struct ArtifactEntry: Sendable, Equatable {
        /// Relative to the URI that was listed.
        package let path: String
        package let isDirectory: Bool
        /// 0 for a folder.
        package let byteCount: Int64
    }

    private static let proxy = "/api/2.0/mlflow-artifacts/artifacts"

    /// Stores a file among a run's artefacts; it appears whole or not at all.
    /// - Parameter path: Relative, with single slashes: `model/MLmodel`.
    package func upload(run: String, path: String, bytes: [UInt8]) async throws(TrackingFailure) {
        let place = try proxyPath(await artifactPlace(of: run), path)
        var call = JSONClient.Call(.put, Self.proxy + "/" + URLText.encodePath(place))
        call.body = bytes
        call.contentType = "application/octet-stream"
        _ = try await answer(call)
    }

    package func download(run: String, path: String) async throws(TrackingFailure) -> [UInt8] {
        try await download(uri: artifactPlace(of: run), path: path)
    }

    /// - Parameter uri: `mlflow-artifacts:/…` of this server, `runs:/ID/path`.
    package func download(uri: String, path: String) async throws(TrackingFailure) -> [UInt8] {
        let place = try proxyPath(await resolved(uri), path)
        return try await answer(JSONClient.Call(.get, Self.proxy + "/" + URLText.encodePath(place))).body
    }

    /// What lies directly in a folder of a run's artefacts.
    package func listArtifacts(run: String, path: String = "") async throws(TrackingFailure) -> [ArtifactEntry] {
        try await listArtifacts(uri: artifactPlace(of: run), path: path)
    }

    package func listArtifacts(uri: String, path: String = "") async throws(TrackingFailure) -> [ArtifactEntry] {
        var call = JSONClient.Call(.get, Self.proxy)
        call.query = [("path", try proxyPath(await resolved(uri), path))]
        let answer = try await json(call)
        return (answer["files"]?.array ?? []).compactMap { file in
            guard let name = file["path"]?.string else { return nil }
            return ArtifactEntry(
                path: path.isEmpty ? name : path + "/" + name, isDirectory: file["is_dir"]?.bool ?? false,
                byteCount: file["file_size"]?.int64 ?? 0)
        }
    }

    /// Every file below an artefact URI, with its path relative to it.
    package func downloadAll(uri: String) async throws(TrackingFailure) -> [(path: String, bytes: [UInt8])] {
        let root = try await resolved(uri)
        var files: [(path: String, bytes: [UInt8])] = []
        var folders = [""]
        while let folder = folders.popLast() {
            for entry in try await listArtifacts(uri: root, path: folder) {
                if entry.isDirectory {
                    folders.append(entry.path)
                } else {
                    files.append((entry.path, try await download(uri: root, path: entry.path)))
                }
            }
        }
        return files.sorted { $0.path < $1.path }
    }

    /// `runs:/ID/path` as the place it stands for; anything else as it is.
    private func resolved(_ uri: String) async throws(TrackingFailure) -> String {
        guard uri.hasPrefix("runs:/") else { return uri }
        let parts = uri.dropFirst(6).split(separator: "/", maxSplits: 1)
        guard let run = parts.first else { throw missing("a run in \(uri)") }
        let place = try await artifactPlace(of: String(run))
        return parts.count > 1 ? place + "/" + parts[1] : place
    }

    /// The path at the server's proxy behind an artefact URI.
    private func proxyPath(_ uri: String, _ path: String) throws(TrackingFailure) -> String {
        guard uri.hasPrefix(TrackingStore.artifactScheme) else {
            throw TrackingFailure(
                HTTPFailure(.badRequest, during: "artefacts of \(uri): only the server's own (mlflow-artifacts:) are reached"))
        }
        let root = uri.dropFirst(TrackingStore.artifactScheme.count).drop { $0 == "/" }
        return path.isEmpty ? String(root) : root + "/" + path
    }
}
