import Foundation
package import ObjectStore
package import Tracking
import Web

/// Where a tracking server keeps its artefacts.
package struct ArtifactPlace: Sendable {
    /// `file:DIRECTORY` or `s3://BUCKET/PREFIX`.
    package let url: String
    private let s3: S3Options?

    package init(url: String, s3: S3Options?) {
        self.url = url
        self.s3 = s3
    }

    /// Beside the database.
    package static func own(_ directory: String) -> ArtifactPlace { ArtifactPlace(url: "file:\(directory)/artifacts", s3: nil) }

    /// - Parameter maxBytes: Of one artefact.
    package func open(maxBytes: Int64) async throws -> ArtifactStore {
        var s3 = s3
        s3?.maxObjectBytes = maxBytes
        return ArtifactStore(try await ObjectStore(url: url, s3: s3))
    }

    // MARK: What the commands beside the server go by

    /// `DIR/artifacts.json`: there when artefacts are not beside the database. It holds no secret.
    private static func file(_ directory: String) -> String { directory + "/artifacts.json" }

    /// The place that the server of a directory has noted.
    /// - Parameter options: How to reach a bucket, from the endpoint, region, style and authority that were noted.
    package static func noted(
        in directory: String, options: (String?, String?, Bool?, String?) -> S3Options
    ) throws -> ArtifactPlace {
        guard let data = FileManager.default.contents(atPath: file(directory)) else { return own(directory) }
        guard let json = try? JSONReader.read(data), let url = json["url"]?.string else {
            throw TrackRole.Error.unusable(directory, "artifacts.json does not say where artifacts are")
        }
        let s3 = options(json["endpoint"]?.string, json["region"]?.string, json["path_style"]?.bool, json["ca"]?.string)
        return ArtifactPlace(url: url, s3: url.hasPrefix("s3:") ? s3 : nil)
    }

    /// Writes the place down.
    /// - Returns: The one that was noted before, when it was another.
    func note(in directory: String) throws -> String? {
        let path = Self.file(directory), own = Self.own(directory).url
        let data = FileManager.default.contents(atPath: path)
        let before = data.flatMap { try? JSONReader.read($0) }?["url"]?.string
        if url == own {
            if data != nil { try FileManager.default.removeItem(atPath: path) }
        } else {
            // The working directory is not that of the commands.
            let named = url.hasPrefix("file:") ? "file:" + URL(filePath: String(url.dropFirst(5))).path : url
            let json = JSONWriter.object { writer in
                writer.field("url", named)
                guard url.hasPrefix("s3:"), let s3 else { return }
                writer.field("endpoint", s3.endpoint)
                writer.field("region", s3.region)
                writer.field("path_style", s3.isPathStyle)
                writer.field("ca", s3.authority)
            }
            try Data(json + Array("\n".utf8)).write(to: URL(filePath: path), options: .atomic)
            if named == before { return nil }
        }
        return before ?? (url == own || !Self.holdsFiles(own) ? nil : own)
    }

    private static func holdsFiles(_ url: String) -> Bool {
        let names = try? FileManager.default.contentsOfDirectory(atPath: String(url.dropFirst(5)))
        return !(names ?? []).allSatisfy { $0.hasPrefix(".") }
    }
}
