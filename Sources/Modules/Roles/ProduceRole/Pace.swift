package import Domain

/// How fast event time may pass, compared with the clock on the wall.
package enum Pace: Sendable, Hashable, CustomStringConvertible {
    /// As fast as the log takes it.
    case unlimited
    /// Milliseconds of event time per millisecond.
    case times(Double)

    package struct Malformed: Error, Equatable, CustomStringConvertible {
        package let text: String
        package var description: String { "\"\(text)\" is not a speed; write max, 1x, or 60x" }
    }

    /// `max`, `1x`, `60x`, `0.5x`.
    package init(_ text: String) throws(Malformed) {
        if text == "max" {
            self = .unlimited
        } else if text.hasSuffix("x"), let factor = Double(text.dropLast()), factor > 0, factor.isFinite {
            self = .times(factor)
        } else {
            throw Malformed(text: text)
        }
    }

    package var description: String {
        switch self {
        case .unlimited: "max"
        case .times(let factor): "\(factor == factor.rounded() ? String(Int64(factor)) : String(factor))x"
        }
    }

    /// How long to wait before an event may leave.
    /// - Parameters:
    ///   - event: Milliseconds of event time since the first event.
    ///   - elapsed: Time since the first event left, by the monotonic clock.
    package func delay(event: EventTime.Milliseconds, elapsed: Duration) -> Duration {
        guard case .times(let factor) = self else { return .zero }
        let due = Duration.milliseconds(Int64(Double(event) / factor))
        return max(.zero, due - elapsed)
    }
}
