import Domain
import EventLog
import Inference
import Logging

/// Keeps one slot filled with the version that the registry's alias points to.
package actor ModelWatcher {
    /// There is no version under the wanted alias nor under `baseline`.
    package struct NothingToServe: Error, CustomStringConvertible {
        package let model: String
        package let alias: String
        package var description: String { "model \"\(model)\" has no version under alias \"\(alias)\" nor \"\(ModelWatcher.fallback)\"" }
    }

    /// The alias that every training run sets, so that a refused model leaves something to serve.
    package static var fallback: String { "baseline" }

    package nonisolated let slot: ModelSlot
    private let alias: String
    private let poll: Duration
    private let source: ModelSource
    private let binding: @Sendable (LoadedModel) -> FeatureBinding
    private let onFirst: @Sendable () async -> Void
    private let metrics: ServeMetrics
    private let logger: Logger
    private var swap = ModelSwap()
    /// The last check failed.
    private var isInTrouble = false
    /// It failed while a model was served, which may not be the newest any more.
    private var isStale = false
    private var isChecking = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - poll: How often the registry is asked when it says nothing by itself.
    ///   - binding: Where the inputs of a model come from when a request names only the entity.
    ///   - onFirst: Awaited when there is a model for the first time, before it is announced.
    init(
        slot: ModelSlot, alias: String, poll: Duration = .seconds(2), source: ModelSource,
        binding: @escaping @Sendable (LoadedModel) -> FeatureBinding, onFirst: @escaping @Sendable () async -> Void = {},
        metrics: ServeMetrics, logger: Logger
    ) {
        self.slot = slot
        self.alias = alias
        self.poll = poll
        self.source = source
        self.binding = binding
        self.onFirst = onFirst
        self.metrics = metrics
        self.logger = logger
    }

    /// Asks the registry once and swaps when it names another version.
    /// - Throws: What kept the registry or the artefact from being read, or ``NothingToServe`` while nothing is served;
    ///   the slot is then as it was.
    package func check(at now: ContinuousClock.Instant) async throws {
        // One at a time: who asks while a model is being loaded gets the outcome of a check of its own.
        while isChecking { await withCheckedContinuation { waiting.append($0) } }
        isChecking = true
        defer {
            isChecking = false
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
        let target = try await resolve()
        switch swap.resolved(target, at: now) {
        case .keep:
            if target == nil, slot.current == nil { throw NothingToServe(model: slot.name, alias: alias) }
        case .rename(let target):
            guard let old = slot.current else { return }
            await install(ServedModel(version: target.version, alias: target.alias, loaded: old.loaded, binding: old.binding))
        case .load(let target):
            do {
                let loaded = try await source.load(target.version)
                Self.warmUp(loaded.model)
                await install(ServedModel(version: target.version, alias: target.alias, loaded: loaded, binding: binding(loaded)))
                swap.finished()
                metrics.loaded(succeeded: true)
            } catch {
                swap.failed(at: .now)
                metrics.loaded(succeeded: false)
                throw error
            }
        }
    }

    /// Checks now and then, and at once when `hasNews` says so, until the task is cancelled.
    func run(hasNews: @escaping @Sendable () async -> Bool) async {
        var next = ContinuousClock.now
        while !Task.isCancelled {
            let news = await hasNews()
            if news || ContinuousClock.now >= next {
                await checkAndLog()
                next = .now + poll
            }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
        }
    }

    private func checkAndLog() async {
        do {
            try await check(at: .now)
            if isStale { logger.info("the registry answers again", metadata: ["model": "\(slot.name)"]) }
            isInTrouble = false
            isStale = false
        } catch is CancellationError {
            return
        } catch {
            // The same trouble again and again is one fact.
            guard !isInTrouble else { return }
            isInTrouble = true
            isStale = slot.current != nil
            logger.warning(
                isStale ? "the model cannot be refreshed; the old one stays" : "no model yet",
                metadata: ["model": "\(slot.name)", "error": "\(error)"])
        }
    }

    private func resolve() async throws -> ModelSwap.Target? {
        if let version = try await source.resolve(slot.name, alias) { return .init(version: version, alias: alias) }
        guard alias != Self.fallback, let version = try await source.resolve(slot.name, Self.fallback) else { return nil }
        return .init(version: version, alias: Self.fallback)
    }

    private func install(_ served: ServedModel) async {
        let old = slot.current
        slot.put(served)
        if old == nil { await onFirst() }
        metrics.serving(served, instead: old)
        logger.info(
            "model served",
            metadata: [
                "model": "\(slot.name)", "version": "\(served.number)", "alias": "\(served.alias)",
                "previous": "\(old?.number ?? "none")", "horizon_ms": "\(served.loaded.horizon)",
            ])
        if !served.binding.mismatched.isEmpty {
            logger.warning(
                "the model was trained on other definitions; requests by entity are refused",
                metadata: ["model": "\(served.version)", "columns": "\(served.binding.mismatched.joined(separator: ", "))"])
        }
    }

    /// Touches all of the model's memory, so that the first request does not pay for it.
    private static func warmUp(_ model: Model) {
        let empty = [Value](repeating: .null, count: model.inputs.count)
        let zeros = model.inputs.map { input -> Value in input.type == .string ? .string("") : .double(0) }
        for _ in 0..<20 {
            _ = try? model.outputs(empty)
            _ = try? model.outputs(zeros)
        }
    }
}
