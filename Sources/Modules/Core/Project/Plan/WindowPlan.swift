import Expressions
import Features
import Streaming

/// A window in words.
enum WindowPlan {
    static func facts(_ window: ViewDefinition.Window) -> [String] {
        let time = DurationText.format
        let grace = "grace \(time(window.grace))"
        switch window.kind {
        case .sliding(let length): return ["sliding window \(time(length))", grace]
        case .session(let gap): return ["sessions with gaps up to \(time(gap))", grace]
        case .count(let count, let step): return ["window of \(count) events" + (step == count ? "" : " every \(step)")]
        case .tumbling(let length), .hopping(let length, _):
            var facts = ["window \(time(length))", grace]
            if case .hopping(_, let step) = window.kind { facts[0] += " every \(time(step))" }
            switch window.gaps {
            case .none: facts.append("gaps left out")
            case .forward: facts.append("gaps carried forward up to \(time(window.maxGap))")
            case .null: facts.append("gaps as nulls up to \(time(window.maxGap))")
            }
            return window.closing == .partition ? facts + ["closed by partition"] : facts
        }
    }
}
