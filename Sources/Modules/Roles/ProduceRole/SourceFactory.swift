import Columnar
package import Domain
package import Features
import Foundation
package import Project

/// Makes the sources of a project file that are read here: generators and files.
package struct SourceFactory: Sendable {
    /// How much of a synthetic source is generated.
    package struct Synthetic: Sendable, Hashable {
        package let start: EventTime.Milliseconds
        /// Milliseconds of event time; `nil` for no end.
        package let duration: EventTime.Milliseconds?
        /// Trades per second of event time; `nil` for the source's own rate.
        package let rate: Double?

        package init(start: EventTime.Milliseconds, duration: EventTime.Milliseconds?, rate: Double?) {
            self.start = start
            self.duration = duration
            self.rate = rate
        }
    }

    private let directory: String
    private let synthetic: Synthetic
    /// Paths given on the command line, by source name.
    private let paths: [String: String]
    private let truthPath: String?

    /// - Parameters:
    ///   - directory: Where relative paths of the project file start.
    ///   - truthPath: Where synthetic sources tell what they planted.
    package init(directory: String, synthetic: Synthetic, paths: [String: String], truthPath: String? = nil) {
        self.directory = directory
        self.synthetic = synthetic
        self.paths = paths
        self.truthPath = truthPath
    }

    /// Opens a generator at its beginning.
    package func open(
        _ definition: SyntheticDefinition, constants: [(field: String, value: Value)], into stream: StreamDefinition
    ) -> PartedSource {
        let synthetic = synthetic, truthPath = truthPath
        let end = synthetic.duration.map { synthetic.start + $0 }
        return PartedSource {
            let trades = PlantedTrades(definition, rate: synthetic.rate ?? definition.rate, start: synthetic.start, end: end)
            let encoder = TradeEncoder(stream: stream, constants: constants, categories: definition.planting.categories.map(\.field))
            return SyntheticSource(
                trades: trades, start: synthetic.start, end: end, encoder: encoder, truth: try truthPath.map { try TruthFile(path: $0) })
        }
    }

    /// Opens the files of a source, which are read in the order of their names.
    /// - Throws: ``ColumnarError`` when there is none.
    package func open(file written: String, of source: SourceDefinition, into stream: StreamDefinition) throws -> PartedSource {
        let path = path(of: source, written)
        let files = try SourceFiles.list(path)
        let set = source.set, map = source.map
        return PartedSource(
            files.map { file in
                PartedSource.Part(name: file.name) {
                    guard TableFile.Format(path: file.path) == .jsonl else {
                        return try FileSource(path: file.path, stream: stream, constants: set, map: map)
                    }
                    if set.isEmpty, map.isEmpty { return try JSONLinesSource(path: file.path, stream: stream) }
                    return try MappedLinesSource(path: file.path, stream: stream, constants: set, map: map)
                }
            })
    }

    /// Where a source's files are: what the command line says, else the project file.
    package func path(of source: SourceDefinition, _ written: String) -> String {
        paths[source.name] ?? (written.hasPrefix("/") ? written : directory + "/" + written)
    }
}

/// The files that the path of a source stands for.
package enum SourceFiles {
    package struct File: Sendable, Equatable {
        /// Tells it from the others of the source, wherever the project lies; nothing for the only one.
        package let name: String
        package let path: String
    }

    /// Whether there is anything to read under a path.
    package static func exist(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path) || isPattern(path) && (try? TableFile.matching(path)) != nil
    }

    private static func isPattern(_ path: String) -> Bool { path.contains { "*?[".contains($0) } }

    /// A file as it is; the files of a pattern, or those of a folder whose ending is known, sorted by name.
    /// - Throws: ``ColumnarError`` when there is none.
    package static func list(_ path: String) throws -> [File] {
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
            guard isDirectory.boolValue else { return [File(name: "", path: path)] }
            return try folder(path)
        }
        guard isPattern(path) else { return [File(name: "", path: path)] }
        // Names begin behind the last folder that has no pattern in it.
        let fixed = path.prefix { !"*?[".contains($0) }
        let base = fixed.lastIndex(of: "/").map { fixed[...$0].utf8.count } ?? 0
        return try TableFile.matching(path).map { File(name: String($0.dropFirst(base)), path: $0) }
    }

    private static func folder(_ path: String) throws -> [File] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw ColumnarError(.io, "open", file: path, "the folder cannot be read: \(error.localizedDescription)")
        }
        let known = names.filter { !$0.hasPrefix(".") && TableFile.Format(path: $0) != nil }.sorted()
        guard !known.isEmpty else {
            throw ColumnarError(
                .io, "open", file: path, "the folder holds no file that ends in .parquet .pq .csv .tsv .jsonl .ndjson or .json")
        }
        return known.map { File(name: $0, path: path + "/" + $0) }
    }
}
