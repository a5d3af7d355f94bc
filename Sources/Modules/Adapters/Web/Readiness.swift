import Synchronization

/// What must hold before the process should get work, check by check.
///
/// A check that nobody has set yet is not ready, so a role registers its checks before it starts.
package final class Readiness: Sendable {
    private let checks = Mutex<[String: Bool]>([:])

    package init() {}

    /// Names a condition that does not hold yet.
    package func expect(_ name: String) { checks.withLock { if $0[name] == nil { $0[name] = false } } }

    /// States whether a condition holds.
    package func set(_ name: String, _ isReady: Bool) { checks.withLock { $0[name] = isReady } }

    /// All conditions by name, and whether every one holds.
    package var state: (isReady: Bool, checks: [(name: String, isReady: Bool)]) {
        let all = checks.withLock { $0 }.sorted { $0.key < $1.key }
        return (all.allSatisfy(\.value), all.map { ($0.key, $0.value) })
    }
}
