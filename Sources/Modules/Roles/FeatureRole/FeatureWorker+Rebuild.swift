import Domain
import EventLog
import FeatureStore
import Features
import Logging

/// Computing every row of a partition again, because its definitions are others than those the state was made with.
///
/// It begins with one unit that gives the old state up and notes where the new rows will begin; it goes on like any other work,
/// unit by unit, and may be stopped anywhere; and it ends with one unit from which on the new rows count and the old ones do not.
/// What was refused, and what was late, is not told again.
extension FeatureWorker {
    /// Nothing is given up unless the past can be read.
    /// - Throws: ``EventHistory/Error``.
    func checkHistory(_ rebuild: Rebuild) async throws {
        try await EventHistory(stream: plan.stream, partition: plan.partition, log: log, archive: archive).check(until: rebuild.until)
        for other in plan.views.others.map(\.stream) {
            let end = try await log.endOffset(topic: other.topic, partition: plan.partition)
            try await EventHistory(stream: other, partition: plan.partition, log: log, archive: archive?.of(other)).check(until: end)
        }
    }

    /// - Parameter lease: Under which the state was read.
    func begin(_ rebuild: Rebuild, giving saved: SavedState, because error: EngineState.Error, _ lease: Lease?) async throws {
        logger.notice(
            "every row is computed again",
            metadata: [
                "stream": "\(plan.stream.name)", "partition": "\(plan.partition)", "events": "\(rebuild.until)", "reason": "\(error)",
            ])
        engine = try FeatureEngine(stream: plan.stream, views: plan.views)
        var unit = LogUnit(group: group, partition: plan.partition, lease: lease)
        let fresh = engine.takeChanges().map { LogUnit.StateChange(key: $0.key, value: $0.value) } + [rebuild.change]
        let kept = Set(fresh.map(\.key))
        unit.state = saved.entries.filter { !kept.contains($0.key) }.map { LogUnit.StateChange(key: $0.key, value: nil) } + fresh
        unit.offsets = [LogUnit.Position(topic: plan.stream.topic, partition: plan.partition, next: 0)]
        unit.offsets += plan.views.others.map { .init(topic: $0.stream.topic, partition: plan.partition, next: 0) }
        try await addGenerations(to: &unit) { $0.begun(at: $1) }
        try await log.commit(unit)
        position = 0
        openOthers(nil)
        self.rebuild = rebuild
    }

    /// The new rows count from here on.
    func finish(_ rebuild: Rebuild, _ lease: Lease?) async throws {
        let saved = try await log.savedState(group: group, partition: plan.partition)
        guard lease == self.lease else { return }
        // It is done already, or others have begun another one: what is saved says how to go on.
        guard try Rebuild(saved) == rebuild else { return isOpen = false }
        var unit = LogUnit(group: group, partition: plan.partition, lease: lease)
        for view in plan.views.views {
            let rows = try StagedRow.records(of: view.definition.name, in: saved)
            let known = Set(rows.map(\.key)), topic = StreamTopics.latest(view.definition)
            let gone = try await latestKeys(topic).filter { !known.contains($0) }
            let removals = gone.map { Record(key: $0, value: nil, timestamp: 0) }
            unit.outputs.append(.init(topic: topic, records: rows + removals, partition: plan.partition))
        }
        try await addGenerations(to: &unit) { $0.done(at: $1) }
        unit.state = saved.entries.filter { StagedRow.isOne($0.key) }.map { .init(key: $0.key, value: nil) } + [rebuild.removal]
        unit.offsets = [LogUnit.Position(topic: plan.stream.topic, partition: plan.partition, next: position)]
        unit.offsets += otherPositions
        try await log.commit(unit)
        self.rebuild = nil
        history = nil
        logger.notice(
            "every row has been computed again", metadata: ["stream": "\(plan.stream.name)", "partition": "\(plan.partition)"])
    }

    private func latestKeys(_ topic: String) async throws -> [[UInt8]] {
        let end = try await log.endOffset(topic: topic, partition: plan.partition)
        var keys: Set<[UInt8]> = [], at: Int64 = 0
        while at < end {
            let batch = try await log.read(topic: topic, partition: plan.partition, from: at, limit: 10_000)
            guard batch.nextOffset > at else { break }
            try batch.forEach { record in
                guard let key = record.key.map(Array.init) else { return }
                if record.value == nil { keys.remove(key) } else { keys.insert(key) }
            }
            at = batch.nextOffset
        }
        return keys.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Notes for every topic of rows what counts now.
    private func addGenerations(to unit: inout LogUnit, _ change: (Generation, _ end: Int64) -> Generation) async throws {
        for view in plan.views.views.map(\.definition) {
            let topics = [view.topic] + (view.outliers?.action == .quarantine ? [StreamTopics.quarantine(view)] : [])
            var records: [Record] = []
            for topic in topics {
                var generations = Generations(of: view, topic: topic, log: log)
                let end = try await log.endOffset(topic: topic, partition: plan.partition)
                let generation = change(try await generations.current(plan.partition), end)
                records.append(Record(key: Array(topic.utf8), value: generation.json, timestamp: 0))
            }
            unit.outputs.append(.init(topic: StreamTopics.generations(view), records: records, partition: plan.partition))
        }
    }
}

/// A rebuild under way, as the state says it.
struct Rebuild: Equatable {
    /// The first event that the old definitions have not seen: from there on rows are news.
    let until: Int64

    private static let key = JSONText.array([.string("rebuild")])

    /// What state, and what an earlier rebuild that was not finished, have left to do.
    init(over saved: SavedState, of plan: FeatureWorker.Plan) {
        let position = saved.position(topic: plan.stream.topic, partition: plan.partition)
        until = max(position, (try? Rebuild(saved))?.until ?? 0)
    }

    /// - Returns: `nil` when there is none.
    init?(_ saved: SavedState) throws {
        guard let entry = saved.entries.first(where: { $0.key == Self.key }) else { return nil }
        var reader = BinaryReader(entry.value)
        do throws(BinaryReader.Damaged) { until = try reader.readInt() } catch { throw EngineState.Error.damaged(view: "the rebuild") }
    }

    var change: LogUnit.StateChange {
        var writer = BinaryWriter()
        writer.write(until)
        return .init(key: Self.key, value: writer.bytes)
    }

    var removal: LogUnit.StateChange { .init(key: Self.key, value: nil) }
}

/// The newest row of an entity that a rebuild has come to, kept with the state until it counts.
enum StagedRow {
    private static let prefix = Array("[\"staged\",".utf8)

    static func isOne(_ key: [UInt8]) -> Bool { key.starts(with: prefix) }

    static func change(_ view: String, _ record: Record) -> LogUnit.StateChange {
        let entity = String(decoding: record.key ?? [], as: UTF8.self)
        var writer = BinaryWriter()
        writer.write(view)
        writer.write(record.key ?? [])
        writer.write(record.value ?? [])
        writer.write(record.timestamp)
        writer.write(count: record.headers.count)
        for header in record.headers {
            writer.write(header.name)
            writer.write(header.value)
        }
        return .init(key: JSONText.array([.string("staged"), .string(view), .string(entity)]), value: writer.bytes)
    }

    static func records(of view: String, in saved: SavedState) throws -> [Record] {
        var records: [Record] = []
        for entry in saved.entries where isOne(entry.key) {
            do throws(BinaryReader.Damaged) {
                var reader = BinaryReader(entry.value)
                guard try reader.readString() == view else { continue }
                var record = Record(
                    key: try reader.readBytes(), value: try reader.readBytes(), timestamp: try reader.readInt())
                for _ in 0..<(try reader.readCount()) {
                    record.headers.append(Record.Header(try reader.readString(), try reader.readBytes()))
                }
                records.append(record)
            } catch { throw EngineState.Error.damaged(view: view) }
        }
        return records
    }
}
