import Columnar
package import Domain
package import EventLog
package import FeatureStore
package import Features
import Foundation
package import Logging
import Streaming
import Table

/// Computes the final rows of a range of time again from a stream's events, into files.
///
/// A row depends on all events of its entity before it, so every event is read, and the rows of the range are kept. The work is cut by
/// partition and by shard of the entities: each piece is one file a view, `<directory>/<view>/<partition>-<shard>.parquet`, which
/// appears when it is whole, and beside it what it was computed from. What is there already and would come out the same is not computed
/// again, so a run that was ended goes on where it was.
///
/// Windows that close by their partition, and joins across streams, go by the time of all its entities: then a shard reads the events
/// of them all, and keeps its own rows.
package struct Backfill: Sendable {
    package struct Summary: Sendable {
        /// Rows written, by view.
        package var rows: [String: Int] = [:]
        /// Pieces that were there already.
        package var pieces = (done: 0, kept: 0)
    }

    /// The directory holds pieces of another number of shards: together with those of this run they would give rows twice.
    package struct OtherShards: Error, CustomStringConvertible, Equatable {
        package let path: String
        package let shards: Int

        package var description: String {
            "\(path) is a piece of \(shards) shard\(shards == 1 ? "" : "s"), and rows would be there twice: give the same number of shards, or "
                + "another directory"
        }
    }

    private let stream: StreamDefinition
    private let views: CompiledViews
    private let log: any EventLog
    private let archive: EventArchive?
    private let logger: Logger

    package init(stream: StreamDefinition, views: CompiledViews, log: any EventLog, archive: EventArchive?, logger: Logger) {
        self.stream = stream
        self.views = views
        self.log = log
        self.archive = archive
        self.logger = logger
    }

    /// - Parameters:
    ///   - wanted: Names of the views to write; at least one.
    ///   - range: Of the rows' own time, milliseconds.
    package func run(
        _ wanted: [String], in range: Range<EventTime.Milliseconds>, shard: EventHistory.Shard, directory: String
    ) async throws -> Summary {
        var summary = Summary()
        try await PartitionsDiffer.check(stream, views, log)
        let hashes = views.hashes
        for partition in 0..<(try await log.partitions(of: stream.topic)) {
            let chosen = views.views.filter { wanted.contains($0.definition.name) }
            let end = try await log.endOffset(topic: stream.topic, partition: partition)
            var others: [String: Int64] = [:]
            for other in views.others {
                others[other.stream.topic] = try await log.endOffset(topic: other.stream.topic, partition: partition)
            }
            let pieces = chosen.map { view in
                PieceFile(
                    path: "\(directory)/\(view.definition.name)/\(partition)-\(shard)",
                    origin: .init(
                        stream: stream.name, from: range.lowerBound, to: range.upperBound, end: end, others: others,
                        columns: (hashes[view.definition.name] ?? [:]).mapValues(\.hex)))
            }
            for piece in pieces { try piece.check(shard) }
            if pieces.allSatisfy(\.isDone) {
                summary.pieces.kept += 1
                continue
            }
            for piece in pieces {
                guard try piece.begin() else { continue }
                logger.info("a piece is computed again: it was computed from something else", metadata: ["file": "\(piece.file)"])
            }
            let isShared = !views.others.isEmpty || views.views.contains { $0.definition.window?.closing == .partition }
            let piece = try Piece(views: chosen, files: pieces.map(\.file), range: range, shard: isShared ? shard : .all)
            try await Recomputation(
                stream: stream, views: views, partition: partition, shard: isShared ? .all : shard, log: log, archive: archive,
                logger: logger
            ).run(until: end, others: others) { unit in try await piece.take(unit) }
            for (view, rows) in try await piece.close() { summary.rows[view, default: 0] += rows }
            for piece in pieces { try piece.finish() }
            summary.pieces.done += 1
        }
        return summary
    }
}

/// The files of one partition and shard.
private actor Piece {
    private let views: [CompiledView]
    private let range: Range<EventTime.Milliseconds>
    private let shard: EventHistory.Shard
    private let writers: [ParquetWriter]
    private var rows: [Int]

    /// - Parameter shard: Rows of other entities are left out.
    init(views: [CompiledView], files: [String], range: Range<EventTime.Milliseconds>, shard: EventHistory.Shard) throws {
        self.views = views
        self.shard = shard
        self.range = range
        writers = try zip(views, files).map { try ParquetWriter(path: $1, columns: $0.schema.columns) }
        rows = [Int](repeating: 0, count: views.count)
    }

    func take(_ unit: LogUnit) throws {
        for output in unit.outputs {
            for (index, view) in views.enumerated() where output.topic == view.definition.topic {
                let kept = output.records.filter {
                    range.contains($0.timestamp) && shard.contains($0.key, partitions: StreamTopics.partitions)
                }
                guard !kept.isEmpty else { continue }
                var decoder = RowDecoder(fields: view.schema.columns.map { RowDecoder.Field($0.name, $0.type, isOptional: true) })
                for record in kept { try record.value?.withUnsafeBytes { try decoder.append($0) } }
                var table = try Table(decoder.finish())
                // What a window said before it had closed is no history.
                if case .bool(let isFinal)? = table["is_final"]?.values { table = table.filtered(isFinal) }
                try writers[index].write(table)
                rows[index] += table.rowCount
            }
        }
    }

    func close() throws -> [(view: String, rows: Int)] {
        for writer in writers { try writer.close() }
        return zip(views, rows).map { ($0.definition.name, $1) }
    }
}
