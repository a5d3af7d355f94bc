package import Domain
import Streaming

/// The order in which the records of a stream and those of the streams it joins are taken.
///
/// A record of the stream about an entity and a time is taken when the other stream is known to have said everything about that
/// entity up to that time: when it has given the entity a later event, or a tick, by more than the time that its windows wait. So
/// the order follows from what stands in the two partitions, not from when it came: it is the same live, at any speed, and after
/// a crash.
///
/// - An entity that the other stream does not know, or whose input there has ended, goes by the time of the whole partition.
/// - Where the partition of the other stream holds nothing while others of its partitions do, nothing is waited for.
/// - Where all of the other stream's entities have ended, nothing is waited for: what the stream still brings is taken by its time.
///
/// The times are those of the records, and a record's time does not count when it claims more than 5 minutes ahead of its arrival.
package struct StreamMerge: Sendable {
    /// What a record says about time.
    package struct Moment: Sendable {
        let key: EntityKey
        package let time: EventTime.Milliseconds
        let tick: Tick?

        /// - Returns: `nil` for a record that says nothing about an entity's time: it is taken as it comes.
        package init?(_ record: Record) {
            guard record.header(HeaderName.release) == nil, let key = record.key.flatMap({ EntityKey(bytes: $0) }),
                EventTime.range.contains(record.timestamp)
            else { return nil }
            if let ingested = record.header(HeaderName.ingestedAt).flatMap({ Int64(String(decoding: $0, as: UTF8.self)) }),
                EventTime.range.contains(ingested), record.timestamp - ingested > StreamIntake.maxFuture
            {
                return nil
            }
            self.key = key
            time = record.timestamp
            tick = record.header(HeaderName.tick).flatMap { Tick(rawValue: String(decoding: $0, as: UTF8.self)) }
        }
    }

    package enum Answer: Sendable, Equatable {
        /// The record may be taken.
        case ready
        /// It may be taken when the other stream holds nothing more up to this time.
        case ended(upTo: EventTime.Milliseconds)
        /// The same, unless the other stream holds nothing in any partition: then it has to begin first.
        case silent(upTo: EventTime.Milliseconds)
        /// The other stream has to say more first.
        case waiting
    }

    private struct Clock: Sendable {
        var time: EventTime.Milliseconds
        var isEnded = false
    }

    /// One stream's times.
    private struct Side: Sendable {
        let name: String
        var clocks: [EntityKey: Clock] = [:]
        var latest: EventTime.Milliseconds?
        var ended = 0
        var dirty: Set<EntityKey> = []

        init(_ name: String) { self.name = name }

        mutating func note(_ moment: Moment) {
            var clock = clocks[moment.key]
            guard moment.tick == nil || clock != nil else { return }
            let wasEnded = clock?.isEnded ?? false
            if moment.tick == .end {
                clock?.isEnded = true
            } else {
                clock = Clock(time: max(clock?.time ?? moment.time, moment.time))
                latest = max(latest ?? moment.time, moment.time)
            }
            guard let clock else { return }
            ended += (clock.isEnded ? 1 : 0) - (wasEnded ? 1 : 0)
            clocks[moment.key] = clock
            dirty.insert(moment.key)
        }
    }

    private var own: Side
    private var others: [Side]
    /// Per other stream, how long after the time of a row the row may come.
    private let slack: [EventTime.Milliseconds]
    /// How far behind an entity's last event the rows may be that its end leads to.
    private let reach: EventTime.Milliseconds

    init(_ stream: StreamDefinition, _ views: CompiledViews) {
        own = Side(stream.name)
        others = views.others.map { Side($0.stream.name) }
        slack = views.others.map { other in other.views.views.compactMap { $0.definition.window?.wait }.max() ?? 0 }
        reach = views.views.compactMap { $0.definition.window?.reach }.max() ?? 0
    }

    /// Whether a record of the stream may be taken, as far as one of the others is concerned.
    package func answer(_ other: Int, for moment: Moment) -> Answer {
        var time = moment.time
        if moment.tick == .end {
            // The end of an entity that has never spoken leads to nothing.
            guard let clock = own.clocks[moment.key] else { return .ready }
            time = clock.time + reach
        }
        let needed = time + slack[other], side = others[other]
        if side.clocks.isEmpty { return .silent(upTo: needed) }
        if let clock = side.clocks[moment.key], !clock.isEnded { return clock.time > needed ? .ready : .waiting }
        if let latest = side.latest, latest > needed { return .ready }
        return side.ended == side.clocks.count ? .ended(upTo: needed) : .waiting
    }

    /// A record of the stream has been taken.
    package mutating func noteOwn(_ moment: Moment) { if !others.isEmpty { own.note(moment) } }

    /// A record of another stream has been taken.
    package mutating func noteOther(_ other: Int, _ moment: Moment) { others[other].note(moment) }

    // MARK: State

    mutating func takeChanges() -> [EngineState.Entry] {
        guard !others.isEmpty else { return [] }
        var entries = Self.changes(&own)
        for index in others.indices { entries += Self.changes(&others[index]) }
        return entries
    }

    private static func changes(_ side: inout Side) -> [EngineState.Entry] {
        defer { side.dirty.removeAll(keepingCapacity: true) }
        return side.dirty.compactMap { key in
            guard let clock = side.clocks[key] else { return nil }
            var writer = BinaryWriter()
            writer.write(clock.time)
            writer.write(clock.isEnded)
            return (JSONText.array([.string("clock"), .string(side.name), .string(key.description)]), writer.bytes)
        }
    }

    mutating func restore(_ saved: [[String]: [UInt8]]) throws(BinaryReader.Damaged) {
        for (path, bytes) in saved where path.count == 3 && path[0] == "clock" {
            guard let key = EntityKey(bytes: path[2].utf8) else { throw .init(offset: 0) }
            var reader = BinaryReader(bytes)
            let clock = Clock(time: try reader.readInt(), isEnded: try reader.readBool())
            if path[1] == own.name {
                Self.restore(key, clock, &own)
            } else if let index = others.firstIndex(where: { $0.name == path[1] }) {
                Self.restore(key, clock, &others[index])
            }
        }
    }

    private static func restore(_ key: EntityKey, _ clock: Clock, _ side: inout Side) {
        side.clocks[key] = clock
        side.latest = max(side.latest ?? clock.time, clock.time)
        if clock.isEnded { side.ended += 1 }
    }
}

extension ViewDefinition.Window {
    /// How long after a row's own time the event that gives it may come.
    fileprivate var wait: EventTime.Milliseconds {
        if case .session(let gap) = kind { gap + grace } else { grace }
    }

    /// How far behind the last event a row's own time may be.
    fileprivate var reach: EventTime.Milliseconds {
        switch kind {
        case .tumbling(let length), .hopping(let length, _), .sliding(let length): length
        case .session(let gap): gap
        case .count: 0
        }
    }
}
