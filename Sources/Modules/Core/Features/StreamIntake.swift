package import Domain
package import Expressions
import Streaming
import Table

/// Turns the records of one partition of a stream into accepted events: decodes, validates, removes repeats.
///
/// A record that cannot be accepted becomes a ``DeadRecord`` with its reason and changes nothing else; the next record
/// is looked at as if it had not been there.
package struct StreamIntake: Sendable {
    /// How far ahead of its ingestion an event may claim to have happened, milliseconds.
    package static var maxFuture: Int64 { 5 * 60_000 }

    private let definition: StreamDefinition
    private let fieldSchema: Schema
    private let timeField: Int
    private let dedupeField: Int?
    private let requirements: [(program: RowProgram, definition: StreamDefinition.Requirement, field: Int)]
    private let keyFields: [Int]

    private var decoder: RowDecoder
    private var pending: [Pending] = []
    private var ticks: [PendingTick] = []
    private var dead: [DeadRecord] = []
    private var deduplication: [Int: Deduplication] = [:]
    package private(set) var keys: KeyIndex

    private struct Pending {
        let offset: Int64
        let ingestedAt: EventTime.Milliseconds?
    }

    private struct PendingTick {
        let offset: Int64
        let time: EventTime.Milliseconds
        let kind: Tick
        let key: EntityKey
    }

    /// - Parameter definition: Its key, time, dedupe and required fields exist and its conditions type-check: the project
    ///   has made sure.
    package init(_ definition: StreamDefinition) throws(ExpressionError) {
        self.definition = definition
        fieldSchema = definition.fields.map { ($0.name, $0.type) }
        let names = definition.fields.map(\.name)
        timeField = names.firstIndex(of: definition.time) ?? 0
        dedupeField = definition.dedupe.flatMap { names.firstIndex(of: $0.field) }
        keyFields = definition.key.compactMap { names.firstIndex(of: $0) }
        var requirements: [(RowProgram, StreamDefinition.Requirement, Int)] = []
        for requirement in definition.require {
            let program = try RowProgram(columns: [], filter: requirement.condition, schema: fieldSchema)
            requirements.append((program, requirement, names.firstIndex(of: requirement.field) ?? 0))
        }
        self.requirements = requirements
        decoder = RowDecoder(fields: definition.fields)
        keys = KeyIndex(columns: definition.key)
    }

    package var keyTypes: [ValueType] { keyFields.map { fieldSchema[$0].type } }

    /// Records taken since the last batch.
    package var pendingCount: Int { pending.count + ticks.count + dead.count }

    /// Takes one event.
    /// - Parameters:
    ///   - value: The record's value; borrowed for the call.
    ///   - hasKey: Whether the record carried a key.
    package mutating func addEvent(
        _ value: UnsafeRawBufferPointer?, hasKey: Bool, offset: Int64, ingestedAt: EventTime.Milliseconds?
    ) {
        guard let value else { return refuse(offset, "the record has no value") }
        guard hasKey else { return refuse(offset, Self.keylessReason(value)) }
        do throws(RowDecoder.Rejection) {
            try decoder.append(value)
            pending.append(Pending(offset: offset, ingestedAt: ingestedAt))
        } catch {
            refuse(offset, error.description)
        }
    }

    /// Takes a statement about time. A tick for an entity that never spoke changes nothing.
    package mutating func addTick(_ kind: Tick, key: EntityKey, time: EventTime.Milliseconds, offset: Int64) {
        guard EventTime.range.contains(time) else { return refuse(offset, "the tick's time \(time) is out of range") }
        ticks.append(PendingTick(offset: offset, time: time, kind: kind, key: key))
    }

    /// A record without a key may be without one because it is not JSON: that is the better thing to say.
    private static func keylessReason(_ value: UnsafeRawBufferPointer) -> String {
        var scanner = JSONScanner(value)
        do throws(JSONScanner.Error) {
            _ = try scanner.skipValue()
            try scanner.finish()
        } catch { return "not JSON: \(error)" }
        return "the record has no key"
    }

    private mutating func refuse(_ offset: Int64, _ reason: String) {
        dead.append(DeadRecord(offset: offset, reason: reason))
    }

    /// Everything taken since the last call, validated.
    package mutating func takeBatch() -> EventBatch {
        let columns = decoder.finish()
        let times = self.times(columns)
        var keep = requirementsMet(columns)
        checkTimes(times, &keep)
        let keysBefore = keys.count
        var keyOfRow = numberKeys(columns, &keep)
        let duplicates = dropDuplicates(columns, keyOfRow, &keep)

        let accepted = keep.indices.filter { keep[$0] }
        let isWhole = accepted.count == keep.count
        if !isWhole { keyOfRow = accepted.map { keyOfRow[$0] } }
        let steps = steps(accepted, keyOfRow, times, keysBefore: keysBefore)
        let fields = isWhole ? columns : columns.map { $0.gathered(accepted) }
        let eventTimes = Column("event_time_ms", .int(isWhole ? times : accepted.map { times[$0] }))
        // Lengths and names are right by construction: one cell per accepted event, names checked by the project.
        let table = (try? Table(fields + [eventTimes])) ?? Table.empty
        dead.sort { $0.offset < $1.offset }
        defer {
            pending.removeAll(keepingCapacity: true)
            ticks.removeAll(keepingCapacity: true)
            dead = []
        }
        return EventBatch(events: table, keyOfRow: keyOfRow, steps: steps, dead: dead, duplicates: duplicates)
    }

    private func times(_ columns: [Column]) -> [EventTime.Milliseconds] {
        switch columns[timeField].values {
        case .int(let values), .time(let values): values
        default: [Int64](repeating: 0, count: columns[timeField].count)
        }
    }

    private mutating func requirementsMet(_ columns: [Column]) -> [Bool] {
        var keep = [Bool](repeating: true, count: pending.count)
        for field in definition.fields.indices where !definition.fields[field].isOptional {
            // A number beyond the range of a double reads as null.
            guard let nulls = columns[field].nulls else { continue }
            for row in keep.indices where keep[row] && nulls[row] {
                keep[row] = false
                refuse(pending[row].offset, "field \"\(definition.fields[field].name)\" is not a finite number")
            }
        }
        guard !requirements.isEmpty, !keep.isEmpty, let table = try? Table(columns) else { return keep }
        let everyRow = [Int](repeating: 0, count: keep.count)
        for (program, requirement, field) in requirements {
            var states = [program.initialState()]
            guard let met = program.evaluate(table, keyOfRow: everyRow, states: &states).keep else { continue }
            for row in keep.indices where keep[row] && !met[row] && !columns[field].isNull(row) {
                keep[row] = false
                refuse(
                    pending[row].offset,
                    "field \"\(requirement.field)\" must be \(requirement.text), got \(Self.text(columns[field][row]))")
            }
        }
        return keep
    }

    private mutating func checkTimes(_ times: [EventTime.Milliseconds], _ keep: inout [Bool]) {
        for row in keep.indices where keep[row] {
            let time = times[row], record = pending[row]
            if !EventTime.range.contains(time) {
                keep[row] = false
                refuse(record.offset, "field \"\(definition.time)\" is \(time), not a time in milliseconds between the years 1 and 9999")
            } else if let ingested = record.ingestedAt, time > ingested, time - ingested > Self.maxFuture {
                keep[row] = false
                refuse(record.offset, "event time \(EventTime.format(time)) is more than 5 minutes ahead of its arrival")
            }
        }
    }

    private mutating func numberKeys(_ columns: [Column], _ keep: inout [Bool]) -> [Int] {
        var numbers = [Int](repeating: 0, count: keep.count)
        if keyFields.count == 1, case .string(let texts) = columns[keyFields[0]].values {
            let column = columns[keyFields[0]]
            for row in keep.indices where keep[row] {
                do throws(EntityKey.Error) {
                    guard !column.isNull(row) else { throw .missing }
                    numbers[row] = try keys.number(text: texts[row])
                } catch { refuseKey(row, error, &keep) }
            }
        } else {
            for row in keep.indices where keep[row] {
                do throws(EntityKey.Error) {
                    numbers[row] = try keys.number(of: keyFields.map { columns[$0][row] })
                } catch { refuseKey(row, error, &keep) }
            }
        }
        return numbers
    }

    private mutating func refuseKey(_ row: Int, _ error: EntityKey.Error, _ keep: inout [Bool]) {
        keep[row] = false
        switch error {
        case .missing: refuse(pending[row].offset, "the key \(definition.key.joined(separator: ", ")) is null or empty")
        case .unsupported(let type): refuse(pending[row].offset, "a \(type.rawValue) cannot be a key")
        }
    }

    private mutating func dropDuplicates(_ columns: [Column], _ keyOfRow: [Int], _ keep: inout [Bool]) -> Int {
        guard let dedupeField, let dedupe = definition.dedupe else { return 0 }
        let column = columns[dedupeField]
        var dropped = 0
        for row in keep.indices where keep[row] && !column.isNull(row) {
            let id: String
            if case .string(let texts) = column.values { id = texts[row] } else { id = Self.text(column[row]) }
            let isNew = deduplication[keyOfRow[row], default: Deduplication(capacity: dedupe.keep)].insert(.init(id))
            if !isNew {
                keep[row] = false
                dropped += 1
            }
        }
        return dropped
    }

    /// Events and ticks in log order. A tick counts only for an entity that had spoken before it, in this batch or an earlier
    /// one: where batches are cut must not matter.
    private func steps(
        _ accepted: [Int], _ keyOfRow: [Int], _ times: [EventTime.Milliseconds], keysBefore: Int
    ) -> [WindowStep] {
        var steps: [WindowStep] = []
        steps.reserveCapacity(accepted.count + ticks.count)
        var tick = 0
        var heard = [Bool](repeating: false, count: keys.count - keysBefore)
        func addTicks(before offset: Int64) {
            while tick < ticks.count, ticks[tick].offset < offset {
                let (kind, time, at) = (ticks[tick].kind, ticks[tick].time, ticks[tick].offset)
                if let key = keys.known(ticks[tick].key), key < keysBefore || heard[key - keysBefore] {
                    steps.append(WindowStep(kind == .end ? .end : .idle, key: key, time: time, offset: at))
                }
                tick += 1
            }
        }
        for (position, row) in accepted.enumerated() {
            addTicks(before: pending[row].offset)
            let key = keyOfRow[position]
            if key >= keysBefore { heard[key - keysBefore] = true }
            steps.append(WindowStep(.event(row: position), key: key, time: times[row], offset: pending[row].offset))
        }
        addTicks(before: .max)
        return steps
    }

    private static func text(_ value: Value) -> String {
        var bytes: [UInt8] = []
        JSONText.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

// MARK: - State

extension StreamIntake {
    /// What changed since the last call, as state entries: per key the ring's position and its changed segments.
    mutating func takeChanges(_ add: (_ key: EntityKey, _ part: String, _ bytes: [UInt8]) -> Void) {
        for number in deduplication.keys {
            guard let segments = deduplication[number]?.dirtySegments, !segments.isEmpty else { continue }
            let key = keys.entities[number]
            deduplication[number].map { memory in
                add(key, "position", memory.encodePosition())
                for segment in segments.sorted() { add(key, "segment \(segment)", memory.encode(segment: segment)) }
            }
            deduplication[number]?.markClean()
        }
    }

    /// Gives a restored entity its number.
    mutating func restoreKey(_ parts: [Value]) throws(EntityKey.Error) -> Int {
        if parts.count == 1, case .string(let text) = parts[0] { return try keys.number(text: text) }
        return try keys.number(of: parts)
    }

    /// Puts the memory of one key back; `segments` in order.
    mutating func restore(key number: Int, position: [UInt8], segments: [[UInt8]]) throws(BinaryReader.Damaged) {
        guard let dedupe = definition.dedupe else { return }
        var memory = Deduplication(capacity: dedupe.keep)
        try memory.decodePosition(position)
        for segment in segments { try memory.decodeSegment(segment) }
        deduplication[number] = memory
    }
}
