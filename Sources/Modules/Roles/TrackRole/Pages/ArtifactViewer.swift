import Columnar
import Tracking
import Web

/// What one file holds, shown by its kind: text, JSON, tables, pictures, sound, Markdown, HTML in a sandbox.
struct ArtifactViewer {
    enum Kind: Equatable {
        case json, markdown, html, picture, audio, video, parquet, text
        case table(delimiter: Character)
        case opaque

        init(name: String) {
            switch name.split(separator: ".").last.map({ $0.lowercased() }) ?? "" {
            case "json": self = .json
            case "md", "markdown": self = .markdown
            case "html", "htm": self = .html
            case "png", "jpg", "jpeg", "gif", "webp", "bmp", "svg": self = .picture
            case "wav", "mp3", "ogg", "flac": self = .audio
            case "mp4", "webm": self = .video
            case "parquet": self = .parquet
            case "csv": self = .table(delimiter: ",")
            case "tsv": self = .table(delimiter: "\t")
            default: self = MediaKind.of(name).hasPrefix("text/") ? .text : .opaque
            }
        }
    }

    let service: ScopedService
    let uri: String
    let file: ArtifactStore.File
    let path: String
    let query: PageQuery

    /// How much of a file a page shows; the rest is for the download.
    private static let maxTextBytes: Int64 = 256 << 10
    private static let maxJSONBytes: Int64 = 1 << 20
    static let maxParquetBytes: Int64 = 32 << 20
    static let maxRows = 200, maxColumns = 100

    func html() async throws -> HTML {
        let kind = Kind(name: path)
        switch kind {
        case .picture: return "<img class=\"artifact\" src=\"\(preview)\" alt=\"\(path)\">"
        case .audio: return "<audio controls preload=\"metadata\" src=\"\(preview)\"></audio>"
        case .video: return "<video class=\"artifact\" controls preload=\"metadata\" src=\"\(preview)\"></video>"
        case .html: return sandbox
        case .parquet: return try await parquet()
        case .opaque: return try await guess()
        case .json where file.byteCount <= Self.maxJSONBytes: return try await json()
        case .markdown where file.byteCount <= Int64(MarkdownText.maxBytes):
            return "<div class=\"note\">\(MarkdownText.html(try await beginning()))</div>"
        case .table(let delimiter): return table(DelimitedText.read(try await beginning(), delimiter: delimiter, maxRows: Self.maxRows + 2))
        default: return source(try await beginning())
        }
    }

    /// The file for an `<img>` or a frame, under a policy that lets it do nothing.
    private var preview: String { "/preview?uri=\(URLText.encode(uri))&path=\(URLText.encode(path))" }

    private var sandbox: HTML {
        let runs = query["html"] == "scripts"
        let rights = runs ? "allow-scripts" : ""
        let other = query.setting("html", runs ? nil : "scripts")
        return """
            <p class="dim small">Shown in a sandbox\(runs ? ": its scripts run, cut off from this server and from the network" : ", without its scripts"). \
            <a href="\(other.address)">\(runs ? "Stop its scripts" : "Run its scripts")</a></p>
            <iframe sandbox="\(rights)" src="\(preview)\(runs ? "&scripts=on" : "")" title="\(path)"></iframe>
            """
    }

    // MARK: Text

    private func beginning(_ limit: Int64 = maxTextBytes) async throws(TrackingError) -> String {
        String(decoding: try await service.artifacts.bytes(of: file, 0..<min(limit, file.byteCount)), as: UTF8.self)
    }

    private func source(_ text: String) -> HTML {
        text.isEmpty ? "<p class=\"empty\">An empty file.</p>" : "<pre><code>\(text)</code></pre>\(cut(Self.maxTextBytes))"
    }

    private func cut(_ limit: Int64) -> HTML {
        file.byteCount > limit
            ? "<p class=\"dim\">The first \(NumberText.bytes(limit)) of \(NumberText.bytes(file.byteCount)). Download the file for the rest.</p>"
            : .empty
    }

    /// A file whose name says nothing: text when its beginning is text.
    private func guess() async throws(TrackingError) -> HTML {
        let bytes = try await service.artifacts.bytes(of: file, 0..<min(4_096, file.byteCount))
        let isText = !bytes.contains(0) && !String(decoding: bytes.dropLast(4), as: UTF8.self).contains("\u{FFFD}")
        guard isText else { return "<p class=\"empty\">No preview for this kind of file.\(warning)</p>" }
        return source(try await beginning())
    }

    /// Loading such a file runs whatever its author put in.
    private var warning: HTML {
        let ending = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
        guard ["pkl", "pickle", "joblib", "pt", "pth", "bin"].contains(ending) else { return .empty }
        return "<br>A pickle can run any code when it is loaded: load it only if you trust who wrote it."
    }

    private func json() async throws(TrackingError) -> HTML {
        let text = try await beginning(Self.maxJSONBytes)
        guard let value = try? JSONReader.read(Array(text.utf8)) else { return source(text) }
        // A table as `mlflow.log_table` writes it.
        if let columns = value["columns"]?.array?.compactMap(\.string), let rows = value["data"]?.array?.compactMap(\.array),
            !columns.isEmpty
        {
            return table([columns] + rows.prefix(Self.maxRows + 1).map { $0.map { JSONPretty.text($0, indent: false) } }, total: rows.count)
        }
        return "<pre><code>\(JSONPretty.text(value))</code></pre>"
    }

    // MARK: Tables

    /// - Parameter lines: The names of the columns first.
    private func table(_ lines: [[String]], total: Int? = nil) -> HTML {
        guard let head = lines.first else { return "<p class=\"empty\">An empty file.</p>" }
        let rows = lines.dropFirst().prefix(Self.maxRows)
        let columns = head.prefix(Self.maxColumns).enumerated().map { index, name -> TableMarkup.Column in
            let isNumeric = !rows.isEmpty && rows.allSatisfy { index >= $0.count || $0[index].isEmpty || Double($0[index]) != nil }
            return TableMarkup.Column("\(name)", isNumeric: isNumeric)
        }
        let cells = rows.map { row in row.prefix(columns.count).map { Piece.clip($0) } }
        let more = lines.count - 1 > rows.count || (total ?? 0) > rows.count
        let shown: HTML =
            more ? "The first \(rows.count) rows\(total.map { " of " + Piece.grouped($0) } ?? "")" : "\(Piece.count(rows.count, "row"))"
        let wide: HTML = head.count > Self.maxColumns ? ", the first \(Self.maxColumns) of \(Piece.grouped(head.count)) columns" : ""
        return "<p class=\"dim\">\(shown)\(wide).</p>\(TableMarkup(columns, rows: Array(cells), whenEmpty: "No rows.").render())"
    }

    private func parquet() async throws(TrackingError) -> HTML {
        guard file.byteCount <= Self.maxParquetBytes else {
            return "<p class=\"empty\">Files above \(NumberText.bytes(Self.maxParquetBytes)) have no preview. Download it.</p>"
        }
        let bytes = try await service.artifacts.bytes(of: file, 0..<file.byteCount)
        switch await ParquetPreview.read(bytes, name: path, maxRows: Self.maxRows) {
        case .success(let preview): return table(preview.lines, total: preview.rowCount)
        case .failure(let error): return "<p class=\"error\" role=\"alert\">This file cannot be read as Parquet: \(error.reason)</p>"
        }
    }
}
