package import Domain

/// Decides which version of a model to load and when, from what the registry says; loads nothing itself.
///
/// What is served stays served until its successor has been loaded: a load that fails, a registry that does not answer
/// and an alias that disappears change nothing. A version that failed is tried again after 2, 4, 8 … 60 seconds.
package struct ModelSwap: Sendable {
    /// A version and the alias it was found under.
    package struct Target: Hashable, Sendable {
        package let version: ModelVersion
        package let alias: String

        package init(version: ModelVersion, alias: String) {
            self.version = version
            self.alias = alias
        }
    }

    package enum Action: Equatable, Sendable {
        case keep
        case load(Target)
        /// The version that is served has got another alias.
        case rename(Target)
    }

    private struct Failure {
        let version: ModelVersion
        let count: Int
        let retryAt: ContinuousClock.Instant
    }

    package private(set) var serving: Target?
    package private(set) var loading: Target?
    private var failure: Failure?

    package init() {}

    /// What to do now that the alias resolves to `target`; `nil` when neither alias exists.
    ///
    /// After ``Action/load(_:)`` the caller owes one ``finished()`` or ``failed(at:)``.
    package mutating func resolved(_ target: Target?, at now: ContinuousClock.Instant) -> Action {
        guard let target, loading == nil, target != serving else { return .keep }
        if target.version == serving?.version {
            serving = target
            return .rename(target)
        }
        if let failure, failure.version == target.version, now < failure.retryAt { return .keep }
        loading = target
        return .load(target)
    }

    /// The version being loaded is now served.
    package mutating func finished() {
        guard let loading else { return }
        serving = loading
        self.loading = nil
        failure = nil
    }

    /// The version being loaded cannot be had; what was served before still is.
    package mutating func failed(at now: ContinuousClock.Instant) {
        guard let target = loading else { return }
        loading = nil
        let count = failure?.version == target.version ? (failure?.count ?? 0) + 1 : 1
        failure = Failure(version: target.version, count: count, retryAt: now + min(.seconds(60), .seconds(1 << min(count, 6))))
    }
}
