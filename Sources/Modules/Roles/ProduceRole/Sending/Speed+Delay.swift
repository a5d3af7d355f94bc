package import Domain
package import Settings

extension Speed {
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
