import Domain
import Expressions
import Features
import Streaming

/// `window:` of a view.
enum WindowSection {
    private enum Kind: String, CaseIterable {
        case tumbling, hopping, sliding, session, count

        /// What such a window can be told besides its kind.
        var keys: [String] {
            switch self {
            case .tumbling: ["length", "grace", "gaps", "max_gap", "closing"]
            case .hopping: ["length", "step", "grace", "gaps", "max_gap", "closing"]
            case .sliding: ["length", "grace"]
            case .session: ["gap", "grace"]
            case .count: ["count", "step"]
            }
        }
    }

    /// Windows that one event may fall into when each of them gives a row for it.
    private static let maxPresentOverlap: Int64 = 20

    private static let keys = ["kind", "length", "step", "gap", "count", "grace", "gaps", "max_gap", "closing"]

    /// - Returns: `nil` when anything about the window is wrong.
    static func read(_ item: Item, emit: ViewDefinition.Emit, _ reader: inout ProjectReader) -> ViewDefinition.Window? {
        let before = reader.errors.count
        guard let section = reader.section(item, keys: keys), let kind = kind(section, &reader) else { return nil }
        for key in keys where key != "kind" && !kind.keys.contains(key) {
            guard let item = section[key] else { continue }
            reader.refuseKey(item, "says nothing about a \(kind.rawValue) window; it takes \(kind.keys.joined(separator: ", "))")
        }
        let shape = shape(kind, section, emit == .current ? maxPresentOverlap : WindowShape.maxOverlap, &reader)
        let grace = section["grace"].map { reader.duration($0, 0...WindowShape.limit) } ?? 0
        let gaps =
            section["gaps"].map { reader.choice($0, "way to fill gaps", as: ViewDefinition.Window.Gaps.self) }
            ?? ViewDefinition.Window.Gaps.none
        let maxGap = section["max_gap"].map { reader.duration($0, 0...WindowShape.limit) } ?? 86_400_000
        let closing = section["closing"].map { reader.choice($0, "way to close windows", as: WindowShape.Closing.self) } ?? .key
        if let item = section["max_gap"], gaps == ViewDefinition.Window.Gaps.none, kind.keys.contains("max_gap") {
            reader.refuseKey(item, "only says something with gaps: forward or gaps: null")
        }
        guard reader.errors.count == before, let shape, let grace, let gaps, let maxGap, let closing else { return nil }
        let isFilled = gaps != ViewDefinition.Window.Gaps.none
        let window = ViewDefinition.Window(shape, grace: grace, gaps: gaps, maxGap: isFilled ? maxGap : 0, closing: closing)
        do throws(WindowShape.Error) { _ = try window.rule() } catch {
            reader.refuse(
                section["max_gap"] ?? item, "a gap of \(DurationText.format(maxGap)) would be filled with more than a million rows")
            return nil
        }
        return window
    }

    /// As said, or as the other keys say.
    private static func kind(_ section: Section, _ reader: inout ProjectReader) -> Kind? {
        if let item = section["kind"] { return reader.choice(item, "kind of window", as: Kind.self) }
        if section["gap"] != nil { return .session }
        if section["count"] != nil { return .count }
        return section["step"] != nil ? .hopping : .tumbling
    }

    /// - Parameter overlap: Windows that one event may fall into.
    private static func shape(
        _ kind: Kind, _ section: Section, _ overlap: Int64, _ reader: inout ProjectReader
    ) -> ViewDefinition.Window.Kind? {
        func duration(_ key: String) -> EventTime.Milliseconds? {
            reader.required(section, key).flatMap { reader.duration($0, 1...WindowShape.limit) }
        }
        switch kind {
        case .tumbling: return duration("length").map { .tumbling(length: $0) }
        case .sliding: return duration("length").map { .sliding(length: $0) }
        case .session: return duration("gap").map { .session(gap: $0) }
        case .hopping:
            guard let length = duration("length"), let step = duration("step"), let item = section["step"] else { return nil }
            guard step <= length else {
                reader.refuse(
                    item,
                    "a step of \(DurationText.format(step)) is longer than the window of \(DurationText.format(length)): "
                        + "events in between would be in no window")
                return nil
            }
            return isBounded((length - 1) / step + 1, overlap, item, &reader) ? .hopping(length: length, step: step) : nil
        case .count:
            guard let count = reader.required(section, "count").flatMap({ reader.integer($0, 1...1_000_000_000) }) else { return nil }
            guard let item = section["step"] else { return .count(count, step: count) }
            guard let step = reader.integer(item, 1...1_000_000_000) else { return nil }
            guard step <= count else {
                reader.refuse(item, "a step of \(step) is more than the window of \(count): events in between would be in no window")
                return nil
            }
            return isBounded(Int64((count - 1) / step + 1), overlap, item, &reader) ? .count(count, step: step) : nil
        }
    }

    private static func isBounded(_ windows: Int64, _ limit: Int64, _ item: Item, _ reader: inout ProjectReader) -> Bool {
        if windows <= limit { return true }
        let reason = limit == maxPresentOverlap ? "with emit: current, where each gives a row, at most \(limit)" : "at most \(limit)"
        reader.refuse(item, "an event would fall into \(windows) windows; \(reason) are allowed")
        return false
    }
}
