import Columnar
package import Domain
import EventLog
package import Features
import Foundation
import Streaming

/// The batch path: the views of a stream computed straight from its events, without a log, by the engine that runs live.
///
/// Where windows close by their partition, events are divided as the log would divide them.
///
/// Rows go to `<directory>/<view>.jsonl`, one JSON object a line, the bytes that the view's topic would hold.
package struct BatchFeatures {
    /// One, or one a partition.
    private var engines: [FeatureEngine]
    private let writers: [JSONLinesWriter]
    private let now: EventTime.Milliseconds
    private var offset: Int64 = 0
    private var keys: Set<EntityKey> = []
    package private(set) var summary = Summary()

    package struct Summary: Sendable {
        package var accepted = 0
        package var dead = 0
        package var late = 0
        package var duplicates = 0
        package var rows: [(view: String, count: Int)] = []
        /// The first refusal, for the person who wonders.
        package var firstReason: String?
    }

    private static let batchEvents = 10_000

    /// - Parameter now: When the events are taken: one that claims to be more than 5 minutes later is refused.
    /// - Throws: When the directory cannot be written.
    package init(stream: StreamDefinition, views: CompiledViews, directory: String, now: EventTime.Milliseconds) throws {
        self.now = now
        let isShared = views.views.contains { $0.definition.window?.closing == .partition }
        let engine = try FeatureEngine(stream: stream, views: views)
        engines = Array(repeating: engine, count: isShared ? StreamTopics.partitions : 1)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        writers = try views.views.map { view in
            try JSONLinesWriter(path: "\(directory)/\(view.definition.name).jsonl", columns: view.schema.columns.map(\.name))
        }
        summary.rows = views.views.map { ($0.definition.name, 0) }
    }

    /// Takes one event, in file order.
    package mutating func add(key: [UInt8]?, value: [UInt8]) throws {
        let place = place(key)
        value.withUnsafeBytes { engines[place].addEvent($0, hasKey: key != nil, offset: offset, ingestedAt: now) }
        offset += 1
        if let key = key.flatMap({ EntityKey(bytes: $0) }) { keys.insert(key) }
        if engines[place].pendingCount >= Self.batchEvents { try process(place) }
    }

    /// The input has ended: closes the last windows and the files.
    package mutating func finish() throws {
        for key in keys.sorted() {
            engines[place(key.bytes)].addTick(.end, key: key, time: EventTime.range.lowerBound, offset: offset)
            offset += 1
        }
        for place in engines.indices { try process(place) }
        for writer in writers { try writer.close() }
    }

    private func place(_ key: [UInt8]?) -> Int { engines.count == 1 ? 0 : Murmur2.partition(of: key, among: engines.count) }

    private mutating func process(_ place: Int) throws {
        let output = engines[place].process()
        summary.accepted += output.accepted
        summary.dead += output.dead.count
        summary.late += output.late.count
        summary.duplicates += output.duplicates
        if summary.firstReason == nil { summary.firstReason = output.dead.first?.reason }
        for (index, rows) in output.rows.enumerated() {
            // A file has no tombstones; the row that took a removed window's place says it all.
            let written = rows.present
            try writers[index].write(written.table)
            summary.rows[index].count += written.count
        }
    }
}
