/// How often and how patiently a request is tried again.
package struct RetryPolicy: Sendable, Hashable {
    /// Tries in all; at least 1.
    package let attempts: Int
    /// The wait after the first failure; it doubles with each further one.
    package let base: Duration
    /// No wait is longer.
    package let cap: Duration

    package init(attempts: Int = 5, base: Duration = .milliseconds(100), cap: Duration = .seconds(5)) {
        self.attempts = max(1, attempts)
        self.base = base
        self.cap = cap
    }

    package static let none = RetryPolicy(attempts: 1)

    /// The wait after the `failures`-th failure in a row, or `nil` when it was the last try.
    /// - Parameter jitter: In [0, 1): clients that failed together must not come back together. The wait lies between
    ///   half and all of the full one.
    package func delay(afterFailures failures: Int, jitter: Double) -> Duration? {
        guard failures < attempts else { return nil }
        let doublings = min(max(0, failures - 1), 20)
        return min(cap, base * (1 << doublings)) * (0.5 + 0.5 * min(max(jitter, 0), 1))
    }
}
