package import Domain

/// Joins predictions with the truth that becomes known later.
///
/// A prediction meets the label of its entity whose time equals the prediction's `predictedFor`; whichever comes first waits.
/// Of the predictions of one version for one entity and time only the earliest asked for counts. A label that is null, or
/// that has not come when event time has passed `predictedFor + wait`, is missing. Event time is the greatest time that
/// was told, never the wall: the same records in the same order of time give the same outcome, live and in replay.
///
/// Everything about one `predictedFor` lies in one bucket, which is dropped as a whole; memory is bounded by
/// ``maxEntries``, beyond which the oldest buckets end early and their waiting predictions count as evicted.
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

    private typealias Bucket = [EntityKey: Entry]

    /// Milliseconds of event time.
    package let wait: EventTime.Milliseconds
    package let maxEntries: Int
    /// The greatest time told; `nil` before the first.
    package private(set) var now: EventTime.Milliseconds?
    /// Predictions, labels and marks that are held.
    package private(set) var count = 0
    /// Labels that came too late to count.
    package private(set) var lateLabels = 0

    private var buckets: [EventTime.Milliseconds: Bucket] = [:]
    private var changed: Set<EventTime.Milliseconds> = []

    /// - Parameters:
    ///   - wait: How long after `predictedFor` a label still counts.
    ///   - maxEntries: Predictions, labels and marks in all; about 150 bytes each.
    package init(wait: EventTime.Milliseconds, maxEntries: Int = 200_000) {
        self.wait = max(0, wait)
        self.maxEntries = max(1, maxEntries)
    }

    /// Predictions that wait for their label.
    package var waitingCount: Int { buckets.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.waiting.count } } }

    /// The truth about an entity at a time, as long as it is held: until event time has passed `time + wait`.
    package func label(of entity: EntityKey, at time: EventTime.Milliseconds) -> Double? { buckets[time]?[entity]?.label ?? nil }

    package mutating func add(_ prediction: Waiting, entity: EntityKey, predictedFor time: EventTime.Milliseconds) -> Reception {
        guard !isOver(time) else { return .stale }
        let known = buckets[time]?[entity]
        guard known?.settled.contains(prediction.version) != true else { return .repeated }
        if let place = known?.waiting.firstIndex(where: { $0.version == prediction.version }) {
            guard let other = known?.waiting[place], prediction.requestedAt < other.requestedAt else { return .repeated }
            buckets[time]?[entity]?.waiting[place] = prediction
            changed.insert(time)
            return .replaced
        }
        count += 1
        changed.insert(time)
        if case .some(let label) = known?.label {
            buckets[time]?[entity]?.settled.append(prediction.version)
            return .joined(Outcome(entity: entity, prediction: prediction, end: end(label, time)))
        }
        buckets[time, default: [:]][entity, default: Entry()].waiting.append(prediction)
        return .waits
    }

    /// Takes the truth about an entity at a time.
    /// - Parameter label: `nil` for a null.
    /// - Returns: The predictions it settles, ordered by version.
    package mutating func add(label: Double?, entity: EntityKey, at time: EventTime.Milliseconds) -> [Outcome] {
        guard !isOver(time) else {
            lateLabels += 1
            return []
        }
        var entry = buckets[time]?[entity] ?? Entry()
        // The first word counts: a row that is written again says the same.
        guard entry.label == nil else { return [] }
        let met = entry.waiting.sorted { $0.version < $1.version }
        entry.label = .some(label)
        entry.settled += met.map(\.version)
        entry.waiting = []
        count += 1
        changed.insert(time)
        buckets[time, default: [:]][entity] = entry
        return met.map { Outcome(entity: entity, prediction: $0, end: end(label, time)) }
    }

    /// Tells that event time has come to `time`; an earlier one than before changes nothing.
    /// - Returns: Predictions whose wait is over, and those given up for want of memory, oldest first.
    package mutating func advance(to time: EventTime.Milliseconds) -> [Outcome] {
        now = max(now ?? time, time)
        var outcomes: [Outcome] = []
        for key in buckets.keys.filter({ isOver($0) }).sorted() { outcomes += drop(key, as: .missing) }
        while count > maxEntries, let oldest = buckets.keys.min() { outcomes += drop(oldest, as: .evicted) }
        return outcomes
    }

    private func isOver(_ time: EventTime.Milliseconds) -> Bool { now.map { $0 > time + wait } ?? false }

    private func end(_ label: Double?, _ time: EventTime.Milliseconds) -> End {
        label.map { .labelled($0, delay: max(0, (now ?? time) - time)) } ?? .missing
    }

    private mutating func drop(_ time: EventTime.Milliseconds, as end: End) -> [Outcome] {
        guard let bucket = buckets.removeValue(forKey: time) else { return [] }
        changed.insert(time)
        var outcomes: [Outcome] = []
        for (entity, entry) in bucket.sorted(by: { $0.key < $1.key }) {
            count -= entry.count
            outcomes += entry.waiting.sorted { $0.version < $1.version }.map { Outcome(entity: entity, prediction: $0, end: end) }
        }
        return outcomes
    }
}

// MARK: State

extension LabelJoin {
    /// What changed since the last call, one entry a bucket; `nil` for one that is gone.
    package mutating func takeChanges() -> [(key: EventTime.Milliseconds, value: [UInt8]?)] {
        defer { changed = [] }
        return changed.sorted().map { ($0, buckets[$0].map(Self.encode)) }
    }

    /// Puts a bucket back.
    package mutating func restore(_ key: EventTime.Milliseconds, _ bytes: [UInt8]) throws(BinaryReader.Damaged) {
        let bucket = try Self.decode(bytes)
        count += bucket.values.reduce(0) { $0 + $1.count } - (buckets[key]?.values.reduce(0) { $0 + $1.count } ?? 0)
        buckets[key] = bucket
    }

    /// Puts the clock and the count of late labels back.
    package mutating func restore(now: EventTime.Milliseconds?, lateLabels: Int) {
        self.now = now
        self.lateLabels = lateLabels
    }

    private static func encode(_ bucket: Bucket) -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(count: bucket.count)
        for (entity, entry) in bucket.sorted(by: { $0.key < $1.key }) {
            writer.write(entity.bytes)
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

    private static func decode(_ bytes: [UInt8]) throws(BinaryReader.Damaged) -> Bucket {
        var reader = BinaryReader(bytes), bucket: Bucket = [:]
        for _ in 0..<(try reader.readCount()) {
            guard let entity = EntityKey(bytes: try reader.readBytes()) else { throw BinaryReader.Damaged(offset: -1) }
            var entry = Entry()
            for _ in 0..<(try reader.readCount()) {
                entry.waiting.append(
                    Waiting(
                        version: try reader.readString(), requestedAt: try reader.readInt(), featureTime: try reader.readInt(),
                        output: try reader.readDouble(), baseline: try optional(&reader)))
            }
            for _ in 0..<(try reader.readCount()) { entry.settled.append(try reader.readString()) }
            if try reader.readBool() { entry.label = .some(try optional(&reader)) }
            bucket[entity] = entry
        }
        return bucket
    }

    private static func write(_ value: Double?, to writer: inout BinaryWriter) {
        writer.write(value != nil)
        if let value { writer.write(value) }
    }

    private static func optional(_ reader: inout BinaryReader) throws(BinaryReader.Damaged) -> Double? {
        try reader.readBool() ? try reader.readDouble() : nil
    }
}
