package import ObjectStore
import Web

/// The place of an artefact below the server's root, from a stranger's text.
package enum ArtifactPath {
    /// - Parameter text: As it came over the wire, without the escapes of the URL that carried it.
    /// - Throws: `invalidParameter` for anything that could lead out of the root, also behind further escapes.
    package static func check(_ text: String) throws(TrackingError) -> ObjectPath {
        var decoded = text
        // What decodes to a way out is refused, however often it was encoded.
        for _ in 0..<4 {
            guard !decoded.contains("\\"), !decoded.hasPrefix("/"),
                !decoded.split(separator: "/").contains(where: { $0 == ".." || $0 == "." }),
                !decoded.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
            else { throw invalid }
            guard let next = URLText.decode(decoded), next != decoded else { break }
            decoded = next
        }
        var trimmed = text[...]
        while trimmed.last == "/" { trimmed = trimmed.dropLast() }
        do throws(ObjectStoreError) { return try ObjectPath(String(trimmed)) } catch { throw invalid }
    }

    private static var invalid: TrackingError { TrackingError(.invalidParameter, "Invalid path") }

    /// The path below the root that one of this server's artefact URIs stands for.
    package static func place(of uri: String) throws(TrackingError) -> String {
        guard uri.hasPrefix(TrackingStore.artifactScheme) else {
            throw TrackingError(.invalidParameter, "The artifacts at '\(Validation.shown(uri))' are not on this server")
        }
        return String(uri.dropFirst(TrackingStore.artifactScheme.count).drop { $0 == "/" })
    }
}
