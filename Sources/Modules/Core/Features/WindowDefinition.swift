package import Domain
package import Streaming

extension ViewDefinition {
    /// Which events make a row together, as declared under `window:`.
    package struct Window: Sendable, Hashable {
        package enum Kind: Sendable, Hashable {
            case tumbling(length: EventTime.Milliseconds)
            case hopping(length: EventTime.Milliseconds, step: EventTime.Milliseconds)
            case sliding(length: EventTime.Milliseconds)
            case session(gap: EventTime.Milliseconds)
            case count(Int, step: Int)
        }

        package enum Gaps: String, Sendable, CaseIterable {
            /// Silent windows are not rows.
            case none
            /// A silent window becomes a flat row that carries the last value on and is marked `synthetic`.
            case forward
            /// A silent window becomes a row of nulls, marked `synthetic`.
            case null

            var rule: WindowShape.Gaps {
                switch self {
                case .none: .none
                case .forward: .forward
                case .null: .null
                }
            }
        }

        package let kind: Kind
        /// How long after its end a window still accepts events.
        package let grace: EventTime.Milliseconds
        package let gaps: Gaps
        /// A silence longer than this is not filled beyond it.
        package let maxGap: EventTime.Milliseconds
        package let closing: WindowShape.Closing

        package init(
            _ kind: Kind, grace: EventTime.Milliseconds = 0, gaps: Gaps = .none, maxGap: EventTime.Milliseconds = 0,
            closing: WindowShape.Closing = .key
        ) {
            self.kind = kind
            self.grace = grace
            self.gaps = gaps
            self.maxGap = maxGap
            self.closing = closing
        }

        /// Tumbling windows.
        package init(length: EventTime.Milliseconds, grace: EventTime.Milliseconds, gaps: Gaps, maxGap: EventTime.Milliseconds) {
            self.init(.tumbling(length: length), grace: grace, gaps: gaps, maxGap: maxGap)
        }

        /// The rule that the engine runs.
        package func rule() throws(WindowShape.Error) -> WindowRule {
            switch kind {
            case .tumbling(let length):
                .aligned(try WindowShape(length: length, grace: grace, gaps: gaps.rule, maxGap: maxGap, closing: closing))
            case .hopping(let length, let step):
                .aligned(try WindowShape(length: length, step: step, grace: grace, gaps: gaps.rule, maxGap: maxGap, closing: closing))
            case .sliding(let length): .sliding(length: length, grace: grace)
            case .session(let gap): .session(gap: gap, grace: grace)
            case .count(let count, let step): .count(count, step: step)
            }
        }

        /// Everything that decides which rows there are, in one line.
        package var canonical: String {
            let shape =
                switch kind {
                case .tumbling(let length): "tumbling \(length)"
                case .hopping(let length, let step): "hopping \(length) \(step)"
                case .sliding(let length): "sliding \(length)"
                case .session(let gap): "session \(gap)"
                case .count(let count, let step): "count \(count) \(step)"
                }
            return "window \(shape) grace \(grace) gaps \(gaps.rawValue) \(maxGap) closing \(closing.rawValue)"
        }
    }
}
