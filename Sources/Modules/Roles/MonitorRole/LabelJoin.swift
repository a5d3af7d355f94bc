package import Domain

/// Joins predictions with the truth that becomes known later.
///
/// A prediction meets the label of its entity whose time equals the prediction's `predictedFor`; whichever comes first waits.
/// Of the predictions of one version for one entity and time only the earliest asked for counts. A label that is null, or
/// that has not come when the entity's time has passed `predictedFor + wait`, is missing.
///
/// Each entity has its own clock, the greatest time that was told of it, by the rows that labels are: partitions that are read one after the other make
/// nobody late. An entity of which nothing is heard any more is given up when the others are ``silence`` beyond the wait.
/// Memory is bounded by ``maxEntries``, beyond which the oldest times end early and their waiting predictions count as evicted.
package struct LabelJoin: Sendable {
    package struct Waiting: Sendable, Equatable {
        package let version: String
        package let requestedAt: EventTime.Milliseconds
        /// Availability of the features it was made from.
        package let featureTime: EventTime.Milliseconds
        package let output: Double
        /// What the baseline said at the same moment, in the unit of the target.
        package let baseline: Double?

        package init(
            version: String, requestedAt: EventTime.Milliseconds, featureTime: EventTime.Milliseconds, output: Double, baseline: Double?
        ) {
            self.version = version
            self.requestedAt = requestedAt
            self.featureTime = featureTime
            self.output = output
            self.baseline = baseline
        }
    }

    package enum End: Sendable, Equatable {
        /// - Parameter delay: Milliseconds of event time between `predictedFor` and when the pair was complete.
        case labelled(Double, delay: EventTime.Milliseconds)
        case missing
        /// Dropped for want of memory.
        case evicted
    }

    /// A prediction whose fate is settled.
    package struct Outcome: Sendable, Equatable {
        package let entity: EntityKey
        package let prediction: Waiting
        package let end: End
    }

    package enum Reception: Sendable, Equatable {
        case waits
        /// Its label was there already.
        case joined(Outcome)
        /// One of the same entity, time and version is known and was asked for no later.
        case repeated
        /// The same, but this one was asked for earlier and takes the place of the one that waits.
        case replaced
        /// Its time is so long ago that no label is awaited.
        case stale
    }

    /// What is known of one entity at one time.
    private struct Entry {
        /// One a version.
        var waiting: [Waiting] = []
        /// Versions whose prediction has met the label.
        var settled: [String] = []
        /// `.some(nil)` is a null label.
        var label: Double??

        var count: Int { waiting.count + settled.count + (label == nil ? 0 : 1) }
    }

    private struct Entity {
        /// The greatest time told of it.
        var clock: EventTime.Milliseconds
        var entries: [EventTime.Milliseconds: Entry] = [:]

        var count: Int { entries.values.reduce(0) { $0 + $1.count } }
    }

    /// How far beyond the wait the others may be before a silent entity is given up.
    package static var silence: EventTime.Milliseconds { 86_400_000 }

    /// Milliseconds of event time.
    package let wait: EventTime.Milliseconds
    package let maxEntries: Int
    /// The greatest time told of any entity; `nil` before the first.
    package private(set) var now: EventTime.Milliseconds?
    /// Predictions, labels and marks that are held.
    package private(set) var count = 0
    /// Labels that came too late to count.
    package private(set) var lateLabels = 0

    private var entities: [EntityKey: Entity] = [:]
    private var changed: Set<EntityKey> = []

    /// - Parameters:
    ///   - wait: How long after `predictedFor` a label still counts.
    ///   - maxEntries: Predictions, labels and marks in all; about 150 bytes each.
    package init(wait: EventTime.Milliseconds, maxEntries: Int = 200_000) {
        self.wait = max(0, wait)
        self.maxEntries = max(1, maxEntries)
    }

    /// Predictions that wait for their label.
    package var waitingCount: Int {
        entities.values.reduce(0) { sum, entity in sum + entity.entries.values.reduce(0) { $0 + $1.waiting.count } }
    }

    /// The truth about an entity at a time, as long as it is held: until the entity's time has passed `time + wait`.
    package func label(of entity: EntityKey, at time: EventTime.Milliseconds) -> Double? {
        entities[entity]?.entries[time]?.label ?? nil
    }

    package mutating func add(_ prediction: Waiting, entity: EntityKey, predictedFor time: EventTime.Milliseconds) -> Reception {
        guard !isOver(time, of: entity) else { return .stale }
        let known = entities[entity]?.entries[time]
        guard known?.settled.contains(prediction.version) != true else { return .repeated }
        if let place = known?.waiting.firstIndex(where: { $0.version == prediction.version }) {
            guard let other = known?.waiting[place], prediction.requestedAt < other.requestedAt else { return .repeated }
            entities[entity]?.entries[time]?.waiting[place] = prediction
            changed.insert(entity)
            return .replaced
        }
        count += 1
        changed.insert(entity)
        if case .some(let label) = known?.label {
            entities[entity]?.entries[time]?.settled.append(prediction.version)
            return .joined(Outcome(entity: entity, prediction: prediction, end: end(label, entity, time)))
        }
        entities[entity, default: Entity(clock: prediction.featureTime)].entries[time, default: Entry()].waiting.append(prediction)
        return .waits
    }

    /// Takes the truth about an entity at a time.
    /// - Parameter label: `nil` for a null.
    /// - Returns: The predictions it settles, ordered by version.
    package mutating func add(label: Double?, entity: EntityKey, at time: EventTime.Milliseconds) -> [Outcome] {
        guard !isOver(time, of: entity) else {
            lateLabels += 1
            return []
        }
        var entry = entities[entity]?.entries[time] ?? Entry()
        // The first word counts: a row that is written again says the same.
        guard entry.label == nil else { return [] }
        let met = entry.waiting.sorted { $0.version < $1.version }
        entry.label = .some(label)
        entry.settled += met.map(\.version)
        entry.waiting = []
        count += 1
        changed.insert(entity)
        entities[entity, default: Entity(clock: time)].entries[time] = entry
        return met.map { Outcome(entity: entity, prediction: $0, end: end(label, entity, time)) }
    }

    /// Tells that an entity's time has come to `time`; an earlier one than before changes nothing.
    /// - Returns: Its predictions whose wait is over, oldest first; now and then also those of entities that have gone silent,
    ///   and what is given up for want of memory.
    package mutating func advance(_ entity: EntityKey, to time: EventTime.Milliseconds) -> [Outcome] {
        var outcomes: [Outcome] = []
        if let clock = entities[entity]?.clock, clock < time {
            entities[entity]?.clock = time
            changed.insert(entity)
            let limit = time - wait
            outcomes = drop(of: entity, as: .missing) { $0 < limit }
        }
        return outcomes + advance(to: time)
    }

    /// Tells that some time has come to `time`, of whomever.
    package mutating func advance(to time: EventTime.Milliseconds) -> [Outcome] {
        let before = now
        now = max(before ?? time, time)
        var outcomes: [Outcome] = []
        // The silent are looked for once an hour of event time.
        if let before, before.flooredQuotient(by: 3_600_000) < time.flooredQuotient(by: 3_600_000) {
            let limit = time - wait - Self.silence
            for entity in entities.keys.sorted() {
                outcomes += drop(of: entity, as: .missing) { $0 < limit }
                if entities[entity]?.entries.isEmpty == true {
                    entities[entity] = nil
                    changed.insert(entity)
                }
            }
        }
        return count > maxEntries ? outcomes + evict() : outcomes
    }

    /// Ends the oldest times until a tenth of the memory is free again, so that this is not asked for at every record.
    private mutating func evict() -> [Outcome] {
        var outcomes: [Outcome] = []
        let goal = maxEntries - maxEntries / 10
        for time in Set(entities.values.flatMap(\.entries.keys)).sorted() where count > goal {
            for entity in entities.keys.sorted() { outcomes += drop(of: entity, as: .evicted) { $0 == time } }
        }
        return outcomes
    }

    private func isOver(_ time: EventTime.Milliseconds, of entity: EntityKey) -> Bool {
        entities[entity].map { $0.clock > time + wait } ?? false
    }

    private func end(_ label: Double?, _ entity: EntityKey, _ time: EventTime.Milliseconds) -> End {
        label.map { .labelled($0, delay: max(0, (entities[entity]?.clock ?? time) - time)) } ?? .missing
    }

    private mutating func drop(of entity: EntityKey, as end: End, where isOver: (EventTime.Milliseconds) -> Bool) -> [Outcome] {
        guard let times = entities[entity]?.entries.keys.filter(isOver), !times.isEmpty else { return [] }
        changed.insert(entity)
        var outcomes: [Outcome] = []
        for time in times.sorted() {
            guard let entry = entities[entity]?.entries.removeValue(forKey: time) else { continue }
            count -= entry.count
            outcomes += entry.waiting.sorted { $0.version < $1.version }.map { Outcome(entity: entity, prediction: $0, end: end) }
        }
        return outcomes
    }
}

// MARK: State

extension LabelJoin {
    /// What changed since the last call, one entry an entity; `nil` for one that is gone.
    package mutating func takeChanges() -> [(key: EntityKey, value: [UInt8]?)] {
        defer { changed = [] }
        return changed.sorted().map { ($0, entities[$0].map(Self.encode)) }
    }

    /// Puts an entity back.
    package mutating func restore(_ key: EntityKey, _ bytes: [UInt8]) throws(BinaryReader.Damaged) {
        let entity = try Self.decode(bytes)
        count += entity.count - (entities[key]?.count ?? 0)
        entities[key] = entity
    }

    /// Puts the greatest time and the count of late labels back.
    package mutating func restore(now: EventTime.Milliseconds?, lateLabels: Int) {
        self.now = now
        self.lateLabels = lateLabels
    }

    private static func encode(_ entity: Entity) -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(entity.clock)
        writer.write(count: entity.entries.count)
        for (time, entry) in entity.entries.sorted(by: { $0.key < $1.key }) {
            writer.write(time)
            writer.write(count: entry.waiting.count)
            for waiting in entry.waiting {
                writer.write(waiting.version)
                writer.write(waiting.requestedAt)
                writer.write(waiting.featureTime)
                writer.write(waiting.output)
                write(waiting.baseline, to: &writer)
            }
            writer.write(count: entry.settled.count)
            for version in entry.settled { writer.write(version) }
            writer.write(entry.label != nil)
            if case .some(let label) = entry.label { write(label, to: &writer) }
        }
        return writer.bytes
    }

    private static func decode(_ bytes: [UInt8]) throws(BinaryReader.Damaged) -> Entity {
        var reader = BinaryReader(bytes), entity = Entity(clock: try reader.readInt())
        for _ in 0..<(try reader.readCount()) {
            let time = try reader.readInt()
            var entry = Entry()
            for _ in 0..<(try reader.readCount()) {
                entry.waiting.append(
                    Waiting(
                        version: try reader.readString(), requestedAt: try reader.readInt(), featureTime: try reader.readInt(),
                        output: try reader.readDouble(), baseline: try optional(&reader)))
            }
            for _ in 0..<(try reader.readCount()) { entry.settled.append(try reader.readString()) }
            if try reader.readBool() { entry.label = .some(try optional(&reader)) }
            entity.entries[time] = entry
        }
        return entity
    }

    private static func write(_ value: Double?, to writer: inout BinaryWriter) {
        writer.write(value != nil)
        if let value { writer.write(value) }
    }

    private static func optional(_ reader: inout BinaryReader) throws(BinaryReader.Damaged) -> Double? {
        try reader.readBool() ? try reader.readDouble() : nil
    }
}
