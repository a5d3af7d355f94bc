import Foundation

/// A file of a backfill, and beside it a small one, `<path>.json`, that says what it was computed from.
///
/// The small one is written last and removed first, so a file that it does not stand beside counts as not there.
struct PieceFile {
    /// All that the rows of the file follow from, besides the entities that its name tells.
    struct Origin: Codable, Equatable {
        let stream: String
        /// Times of rows, milliseconds.
        let from: Int64
        let to: Int64
        /// One past the last offset of the events.
        let end: Int64
        /// The same of the streams whose views are joined, by topic.
        let others: [String: Int64]
        /// Definition hashes of the view's columns.
        let columns: [String: String]
    }

    /// Without an extension.
    let path: String
    let origin: Origin

    var file: String { path + ".parquet" }
    private var note: String { path + ".json" }

    /// Whether the file is there and was computed from the same.
    var isDone: Bool {
        guard FileManager.default.fileExists(atPath: file), let data = FileManager.default.contents(atPath: note) else { return false }
        // A note that does not decode is none.
        return (try? JSONDecoder().decode(Origin.self, from: data)) == origin
    }

    /// - Throws: ``Backfill/OtherShards`` when the folder holds a file of another number of shards.
    func check(_ shard: EventHistory.Shard) throws {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        guard FileManager.default.fileExists(atPath: folder) else { return }
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".parquet") {
            guard let count = name.dropLast(".parquet".count).split(separator: "of").last.flatMap({ Int($0) }), count != shard.count else {
                continue
            }
            throw Backfill.OtherShards(path: "\(folder)/\(name)", shards: count)
        }
    }

    /// Makes room for the file.
    /// - Returns: Whether another one was there.
    func begin() throws -> Bool {
        try FileManager.default.createDirectory(at: URL(filePath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
        if FileManager.default.fileExists(atPath: note) { try FileManager.default.removeItem(atPath: note) }
        return FileManager.default.fileExists(atPath: file)
    }

    /// Says what the file, which is whole now, was computed from.
    func finish() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try encoder.encode(origin).write(to: URL(filePath: note), options: .atomic)
    }
}
