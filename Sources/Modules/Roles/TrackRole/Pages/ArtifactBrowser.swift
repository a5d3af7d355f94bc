import ObjectStore
import Tracking
import Web

/// A folder of artefacts as a tree, with what the chosen file holds beside it.
struct ArtifactBrowser {
    let service: ScopedService
    /// Where the artefacts are, as the protocol says it.
    let uri: String
    let query: PageQuery

    /// Entries of a folder that the tree shows.
    private static let maxEntries = 500

    func html() async throws -> HTML {
        guard uri.hasPrefix(TrackingStore.artifactScheme) else {
            return "<p class=\"empty\">These artefacts are kept outside this server, at <code>\(uri)</code>.</p>"
        }
        let root = try ArtifactPath.place(of: uri)
        let chosen = query["path"].isEmpty ? "" : try ArtifactPath.check(query["path"]).description
        let top = try await service.artifacts.list(root)
        guard !top.isEmpty else {
            return "<div class=\"empty\">No artefacts.<pre><code>mlflow.log_artifact(\"report.html\")</code></pre></div>"
        }
        // A folder is shown open; what is no folder is a file.
        let shown = chosen.isEmpty ? Self.welcome(top) : chosen
        let tree = try await branch(top, root: root, under: "", chosen: shown)
        let view = shown.isEmpty ? "<p class=\"empty\">Choose a file.</p>" : try await viewer(root, shown)
        return """
            <div class="browser"><nav class="tree" aria-label="Files">\(tree)</nav><section>\(view)</section></div>
            """
    }

    /// What somebody wants to read first.
    private static func welcome(_ entries: [ArtifactStore.Entry]) -> String {
        let files = entries.filter { !$0.isDirectory }.map(\.name)
        return ["README.md", "report.html", "MLmodel"].first { files.contains($0) } ?? ""
    }

    private func branch(
        _ entries: [ArtifactStore.Entry], root: String, under folder: String, chosen: String
    ) async throws(TrackingError) -> HTML {
        var items: [HTML] = []
        let sorted = entries.sorted { ($0.isDirectory ? 0 : 1, $0.name) < ($1.isDirectory ? 0 : 1, $1.name) }
        for entry in sorted.prefix(Self.maxEntries) {
            let path = folder.isEmpty ? entry.name : folder + "/" + entry.name
            let isOpen = entry.isDirectory && (chosen == path || chosen.hasPrefix(path + "/"))
            let current: HTML = chosen == path ? " aria-current=\"page\"" : .empty
            let target = isOpen && chosen == path ? folder : path
            let link: HTML = """
                <a href="\(query.setting("path", target.isEmpty ? nil : target).without("html").address)"\(current) title="\(entry.name)"><span class="mark" aria-hidden="true">\(entry.isDirectory ? isOpen ? "▾" : "▸" : "·")</span>\
                <span class="name">\(entry.name)</span>\(entry.isDirectory ? .empty : "<span class=\"size\">\(NumberText.bytes(entry.byteCount))</span>" as HTML)</a>
                """
            let inside: HTML =
                isOpen ? try await branch(service.artifacts.list(root + "/" + path), root: root, under: path, chosen: chosen) : .empty
            items.append("<li>\(link)\(inside)</li>")
        }
        let rest: HTML =
            entries.count > Self.maxEntries
            ? "<li class=\"dim\">… \(Piece.count(entries.count - Self.maxEntries, "more entry", "more entries"))</li>" : .empty
        return "<ul>\(items)\(rest)</ul>"
    }

    private func viewer(_ root: String, _ path: String) async throws -> HTML {
        let file: ArtifactStore.File
        do throws(TrackingError) {
            file = try await service.artifacts.file(root + "/" + path)
        } catch {
            // A folder, or something that is gone.
            return error.code == .invalidParameter
                ? "<p class=\"empty\">Choose a file.</p>" : "<p class=\"error\" role=\"alert\">\(error.message)</p>"
        }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let download = "/api/2.0/\(TrackRouter.artifactPath)/" + URLText.encodePath(root + "/" + path)
        let content = try await ArtifactViewer(service: service, uri: uri, file: file, path: path, query: query).html()
        return """
            <div class="bar"><strong class="mono">\(path)</strong><span class="dim">\(NumberText.bytes(file.byteCount)) · \(Piece.ago(file.modifiedAt, now: service.now()))</span>\
            <span class="end"><a class="button" href="\(download)" download="\(name)">Download</a></span></div>\(content)
            """
    }
}
