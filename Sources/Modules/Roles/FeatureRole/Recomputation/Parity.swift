import Domain
package import EventLog
package import FeatureStore
package import Features
package import Logging
import Table

/// Computes the rows of a stream's views once more from its events, and compares them with what was stored and served, bit by bit.
package struct Parity: Sendable {
    /// The first place where what is stored is not what the events give.
    package struct Difference: Error, CustomStringConvertible {
        /// Topic, partition and entity; or the prediction.
        package let place: String
        package let stored: String
        package let recomputed: String

        package var description: String { "\(place)\n  stored:     \(stored)\n  recomputed: \(recomputed)" }
    }

    package struct Report: Sendable {
        package var events: Int64 = 0
        /// Rows that are equal, by view.
        package var rows: [String: Int] = [:]
        /// Latest rows that are equal, by view.
        package var latest: [String: Int] = [:]
        package var predictions = 0
        package var uncheckedPredictions = 0

        package init() {}
    }

    /// Rows are being computed again: there is nothing to compare until that is done.
    package struct Rebuilding: Error, CustomStringConvertible {
        package let stream: String
        package var description: String { "a rebuild of the rows of \"\(stream)\" is not finished; `mlops features` goes on with it" }
    }

    private let stream: StreamDefinition
    private let views: CompiledViews
    private let log: any EventLog
    private let archive: EventArchive?
    private let logger: Logger

    /// - Parameter archive: Where events are that the log no longer has.
    package init(stream: StreamDefinition, views: CompiledViews, log: any EventLog, archive: EventArchive?, logger: Logger) {
        self.stream = stream
        self.views = views
        self.log = log
        self.archive = archive
        self.logger = logger
    }

    /// - Parameters:
    ///   - served: The predictions that were made from a view of this stream; noted before this is called.
    ///   - report: What was equal, added to.
    /// - Throws: ``Difference``.
    package func check(_ served: inout ServedValues?, _ report: inout Report) async throws {
        try await PartitionsDiffer.check(stream, views, log)
        for partition in 0..<(try await log.partitions(of: stream.topic)) {
            let (position, others, rows) = try await standing(partition)
            report.events += position
            let check = PartitionParity(views: views.views, partition: partition, rows: rows, log: log, served: served)
            try await Recomputation(stream: stream, views: views, partition: partition, log: log, archive: archive, logger: logger)
                .run(until: position, others: others) { unit in try await check.take(unit) }
            let isStill = try await self.position(partition) == position
            try await check.finish(comparesLatest: isStill)
            served = await check.served
            for (view, count) in await check.rows { report.rows[view, default: 0] += count }
            for (view, count) in await check.latest { report.latest[view, default: 0] += count }
        }
        guard let served else { return }
        report.predictions = served.found
        report.uncheckedPredictions = served.unchecked
        if let (moment, one) = served.rest {
            let entity = String(decoding: moment.key, as: UTF8.self)
            throw Difference(
                place: "prediction \(one.id) of \(entity), from the row of \(EventTime.format(moment.time))",
                stored: "values_hash \(one.hash)",
                recomputed: one.misses == 0
                    ? "no row of that time" : "a row of that time with other values of \(one.names.joined(separator: ", "))")
        }
    }

    private func position(_ partition: Int) async throws -> Int64 {
        try await log.savedState(group: FeatureWorker.group(stream), partition: partition)
            .position(topic: stream.topic, partition: partition)
    }

    /// How far the role has come, and which rows of the views' topics count at that moment.
    private func standing(_ partition: Int) async throws -> (
        position: Int64, others: [String: Int64], rows: [Range<Int64>]
    ) {
        while true {
            let saved = try await log.savedState(group: FeatureWorker.group(stream), partition: partition)
            var engine = try FeatureEngine(stream: stream, views: views)
            // Rows of other definitions cannot be equal: better told as what it is.
            try engine.restore(saved.entries)
            guard try Rebuild(saved) == nil else { throw Rebuilding(stream: stream.name) }
            let before = saved.position(topic: stream.topic, partition: partition)
            let others = views.others.map { ($0.stream.topic, saved.position(topic: $0.stream.topic, partition: partition)) }
            var rows: [Range<Int64>] = []
            for view in views.views {
                var generations = Generations(of: view.definition, log: log)
                let first = try await generations.current(partition).first
                rows.append(first..<max(first, try await log.endOffset(topic: view.definition.topic, partition: partition)))
            }
            // Both move together, or neither did.
            if try await position(partition) == before {
                return (before, Dictionary(others, uniquingKeysWith: { $1 }), rows)
            }
        }
    }
}

/// Runs a worker over the history of one partition.
struct Recomputation {
    let stream: StreamDefinition
    let views: CompiledViews
    let partition: Int
    var shard = EventHistory.Shard.all
    let log: any EventLog
    let archive: EventArchive?
    let logger: Logger

    private static let batchRecords = 10_000

    /// - Parameters:
    ///   - end: One past the last offset of the stream that is read.
    ///   - others: The same of the streams whose views are joined, by topic.
    ///   - show: Called with what the worker would have written, unit by unit.
    func run(
        until end: Int64, others: [String: Int64], _ show: @escaping @Sendable (LogUnit) async throws -> Void
    ) async throws {
        var inputs = [
            stream.topic: RehearsalLog.Input(
                history: EventHistory(stream: stream, partition: partition, shard: shard, log: log, archive: archive), end: end,
                ends: [])
        ]
        for other in views.others.map(\.stream) {
            let history = EventHistory(stream: other, partition: partition, shard: shard, log: log, archive: archive?.of(other))
            let ends = try await log.endOffsets(topic: other.topic)
            inputs[other.topic] = .init(history: history, end: others[other.topic] ?? 0, ends: ends)
        }
        // Its warnings were given when the events first came.
        var quiet = logger
        quiet.logLevel = .critical
        let worker = try FeatureWorker(
            .init(
                stream: stream, views: views, partition: partition, projectHash: ContentHash(of: ""), batchRecords: Self.batchRecords),
            log: RehearsalLog(inputs, show: show), logger: quiet)
        try await worker.open()
        while try await worker.step() > 0 {}
    }
}

/// Compares what is recomputed of one partition as it comes.
private actor PartitionParity {
    private let views: [CompiledView]
    private let partition: Int
    private let log: any EventLog
    private var stored: [StoredRows]
    private var newest: [[[UInt8]: Record]]
    private(set) var served: ServedValues?
    private(set) var rows: [String: Int] = [:]
    private(set) var latest: [String: Int] = [:]

    init(views: [CompiledView], partition: Int, rows: [Range<Int64>], log: any EventLog, served: ServedValues?) {
        self.views = views
        self.partition = partition
        self.log = log
        self.served = served
        stored = zip(views, rows).map { view, rows in
            StoredRows(
                log: log, topic: view.definition.topic, partition: partition, first: rows.lowerBound, end: rows.upperBound)
        }
        newest = views.map { _ in [:] }
    }

    func take(_ unit: LogUnit) async throws {
        for output in unit.outputs {
            for (index, view) in views.enumerated() {
                if output.topic == view.definition.topic {
                    try await compare(output.records, index)
                    if served?.topic == output.topic { try served?.look(at: output.records) }
                } else if output.topic == StreamTopics.latest(view.definition) {
                    for record in output.records { newest[index][record.key ?? []] = record }
                }
            }
        }
    }

    private func compare(_ records: [Record], _ index: Int) async throws {
        var rows = stored[index]
        for record in records {
            let found = try await rows.next(of: record.key ?? [])
            guard let found, isEqual(found.record, record, views[index]) else {
                throw difference(views[index].definition.topic, record.key, found, record)
            }
        }
        stored[index] = rows
    }

    func finish(comparesLatest: Bool) async throws {
        for (index, view) in views.enumerated() {
            var stored = stored[index]
            if let extra = try await stored.rest() { throw difference(view.definition.topic, extra.record.key, extra, nil) }
            rows[view.definition.name] = stored.taken
            // The role has gone on meanwhile: the latest rows are those of events that were not recomputed.
            if comparesLatest { try await compareLatest(index) }
        }
    }

    private func compareLatest(_ index: Int) async throws {
        let topic = StreamTopics.latest(views[index].definition)
        var found: [[UInt8]: StoredRecord] = [:], at: Int64 = 0
        let end = try await log.endOffset(topic: topic, partition: partition)
        while at < end {
            let batch = try await log.read(topic: topic, partition: partition, from: at, limit: 10_000)
            guard batch.nextOffset > at else { break }
            for stored in try batch.records() { found[stored.record.key ?? []] = stored }
            at = batch.nextOffset
        }
        for (key, record) in newest[index] {
            let stored = found.removeValue(forKey: key)
            guard let stored, isEqual(stored.record, record, views[index]) else { throw difference(topic, key, stored, record) }
            latest[views[index].definition.name, default: 0] += 1
        }
        if let extra = found.values.min(by: { $0.offset < $1.offset }) { throw difference(topic, extra.record.key, extra, nil) }
    }

    /// Bit by bit; a row that was stored before a column came is compared in the columns that it has.
    private func isEqual(_ stored: Record, _ new: Record, _ view: CompiledView) -> Bool {
        guard stored.key == new.key, stored.timestamp == new.timestamp else { return false }
        if stored.value == new.value { return true }
        guard let header = stored.header(HeaderName.columns), let old = stored.value, let value = new.value,
            !header.withUnsafeBytes({ view.mark.isPresent($0) })
        else { return false }
        let foreign = view.mark.foreign(in: header)
        let fields = view.schema.columns.filter { !foreign.contains($0.name) }.map { RowDecoder.Field($0.name, $0.type, isOptional: true) }
        func bytes(_ value: [UInt8]) -> [UInt8]? {
            var decoder = RowDecoder(fields: fields)
            guard (try? value.withUnsafeBytes({ try decoder.append($0) })) != nil else { return nil }
            return JSONText.object(decoder.finish().map { ($0.name, $0[0]) })
        }
        return bytes(old).map { $0 == bytes(value) } ?? false
    }

    private func difference(_ topic: String, _ key: [UInt8]?, _ stored: StoredRecord?, _ recomputed: Record?) -> Parity.Difference {
        func text(_ record: Record?) -> String {
            guard let record else { return "no such row" }
            return "\(EventTime.format(record.timestamp)) \(record.value.map { String(decoding: $0, as: UTF8.self) } ?? "removed")"
        }
        let place = stored.map { "offset \($0.offset)" } ?? "after the last row"
        return Parity.Difference(
            place: "\(topic)/\(partition), entity \(String(decoding: key ?? [], as: UTF8.self)), \(place)", stored: text(stored?.record),
            recomputed: text(recomputed))
    }
}
