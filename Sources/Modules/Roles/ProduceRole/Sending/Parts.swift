package import Domain

/// How far one part of a source has been read.
package struct PartProgress: Sendable, Equatable {
    /// Events of the part that the log holds.
    package var events: Int64
    /// Whether that was all of it.
    package var isDone: Bool

    package init(events: Int64, isDone: Bool) {
        self.events = events
        self.isDone = isDone
    }
}

/// A source made of parts that are read one after the other: the files of a folder, or one generator.
///
/// The parts keep their names across runs, so that a part which was read is not read again when others appear beside it.
package final class PartedSource: EventSource {
    package struct Part {
        /// Tells it from the others: a path, or nothing for the only one.
        package let name: String
        package let open: () throws -> any EventSource

        package init(name: String, open: @escaping () throws -> any EventSource) {
            self.name = name
            self.open = open
        }
    }

    /// Events of one part.
    package struct Batch {
        package let part: String
        package let events: [SourceEvent]
    }

    /// What became of the parts that an earlier run had read.
    package enum Finding: Sendable, Equatable {
        /// The part had ended, and there is more of it now.
        case grown(part: String, at: Int64)
        /// There is less of the part than was read of it.
        case shrunk(part: String, read: Int64, now: Int64)
        /// The part is no longer there.
        case gone(part: String)
    }

    private let parts: [Part]
    private var position = 0
    private var current: (any EventSource)?
    /// Read ahead while looking whether a part has grown.
    private var ahead: [SourceEvent] = []
    private var before: [String: PartProgress] = [:]

    package init(_ parts: [Part]) { self.parts = parts }

    /// One that has no parts.
    package convenience init(_ open: @escaping () throws -> any EventSource) { self.init([Part(name: "", open: open)]) }

    /// Says what an earlier run has read; called before the first ``nextBatch(_:skipped:found:)``, which passes over it.
    /// - Returns: What is no longer there.
    package func resume(after progress: [String: PartProgress]) -> [Finding] {
        before = progress
        let present = Set(parts.map(\.name))
        return progress.keys.filter { !present.contains($0) }.sorted().map { .gone(part: $0) }
    }

    /// Up to `limit` further events, all of one part; `nil` at the end.
    /// - Parameters:
    ///   - skipped: Shown the events that an earlier run has sent, which are passed over.
    ///   - found: Told what has become of a part since.
    package func nextBatch(
        _ limit: Int, skipped: ([SourceEvent]) -> Void = { _ in }, found: (Finding) -> Void = { _ in }
    ) throws -> Batch? {
        while position < parts.count {
            let part = parts[position]
            if current == nil { try open(part, skipped: skipped, found: found) }
            let events = ahead.isEmpty ? try current?.next(limit) ?? [] : ahead
            ahead = []
            if !events.isEmpty { return Batch(part: part.name, events: events) }
            current = nil
            position += 1
        }
        return nil
    }

    package func next(_ limit: Int) throws -> [SourceEvent] { try nextBatch(limit)?.events ?? [] }

    private func open(_ part: Part, skipped: ([SourceEvent]) -> Void, found: (Finding) -> Void) throws {
        let source = try part.open()
        current = source
        guard let progress = before[part.name] else { return }
        var passed: Int64 = 0
        while passed < progress.events {
            let events = try source.next(Int(min(progress.events - passed, 10_000)))
            if events.isEmpty { return found(.shrunk(part: part.name, read: progress.events, now: passed)) }
            skipped(events)
            passed += Int64(events.count)
        }
        guard progress.isDone else { return }
        ahead = try source.next(200)
        if !ahead.isEmpty { found(.grown(part: part.name, at: passed)) }
    }

    /// First and last event time of all parts; `nil` when one has no end.
    package func span(notAfter latest: EventTime.Milliseconds) throws -> ClosedRange<EventTime.Milliseconds>? {
        var whole: ClosedRange<EventTime.Milliseconds>?
        for part in parts {
            guard let span = try part.open().span(notAfter: latest) else { continue }
            whole = min(whole?.lowerBound ?? span.lowerBound, span.lowerBound)...max(whole?.upperBound ?? span.upperBound, span.upperBound)
        }
        return whole
    }
}
