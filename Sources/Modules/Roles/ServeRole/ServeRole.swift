package import Domain
package import EventLog
import FeatureStore
package import Features
package import Logging
package import Project
import Hummingbird
import ServiceLifecycle
package import Telemetry
package import Web

/// The `serve` role: predictions over HTTP and for every new row of the stream, each of them recorded.
package struct ServeRole: Service {
    package struct Configuration: Sendable {
        package var host = "127.0.0.1"
        /// 0 lets the system choose; see ``ServeRole/address``.
        package var port = 8501
        package var maxBodyBytes = 2 << 20
        /// Predictions that may wait for the log before they are dropped.
        package var queueRecords = 50_000
        /// How often the registry is asked whether an alias has moved, should its announcement be missed.
        package var poll = Duration.seconds(2)
        /// Topic names, prefix included.
        package var predictionsTopic = "predictions"
        package var registryTopic: String? = "registry-events"
        /// Tells two consumers of one process apart.
        package var instance = "serve"
        /// Where stream prediction begins for a model that has never predicted the stream.
        package var streamStart = StreamPredictor.Start.latest

        package init() {}
    }

    private let configuration: Configuration
    private let features: OnlineStore?
    private let watchers: [ModelWatcher]
    private let queue: PredictionQueue
    private let service: PredictionService
    private let host: HTTPHost
    private let log: any EventLog
    private let readiness: Readiness
    private let logger: Logger
    /// One a model when the project asks for stream prediction.
    package let streams: [StreamPredictor]

    /// Where it listens, known once it does.
    package var address: ListeningAddress { host.address }

    /// - Parameters:
    ///   - serving: What to serve; its topics exist.
    ///   - view: The view of `serving.featuresFrom`; `nil` when requests carry their features.
    ///   - definitionHashes: What that view's columns mean now.
    ///   - source: Where models come from.
    ///   - wall: Milliseconds since the epoch: request times, feature ages and leases go by it.
    package init(
        _ configuration: Configuration, serving: ServingDefinition, view: CompiledView?, definitionHashes: [String: ContentHash],
        source: ModelSource, log: any EventLog, metrics registry: MetricsRegistry, readiness: Readiness, logger: Logger,
        wall: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.configuration = configuration
        self.log = log
        self.readiness = readiness
        self.logger = logger
        features = view.map { OnlineStore(view: $0, log: log) }
        queue = PredictionQueue(capacity: configuration.queueRecords, topic: configuration.predictionsTopic, log: log, logger: logger)
        let columns = view?.schema.columns.map(\.name) ?? []
        var slots: [ModelSlot] = [], watchers: [ModelWatcher] = [], streams: [StreamPredictor] = [], metrics: [String: ServeMetrics] = [:]
        for model in serving.models {
            let slot = ModelSlot(name: model.name), own = ServeMetrics(model: model.name)
            slots.append(slot)
            metrics[model.name] = own
            readiness.expect("model \(model.name)")
            let stream = (serving.stream ? view : nil).map { view in
                StreamPredictor(
                    slot: slot, view: view, log: log, predictionsTopic: configuration.predictionsTopic, metrics: own, logger: logger,
                    wall: wall, instance: configuration.instance)
            }
            if let stream { streams.append(stream) }
            watchers.append(
                ModelWatcher(
                    slot: slot, alias: model.alias, poll: configuration.poll, source: source,
                    binding: { FeatureBinding($0, columns: columns, current: definitionHashes) },
                    onFirst: { await stream?.modelArrived() }, metrics: own, logger: logger))
        }
        self.watchers = watchers
        self.streams = streams
        if view != nil { readiness.expect("features") }
        service = PredictionService(models: slots, features: features, queue: queue, metrics: metrics, now: wall)
        let routes = ServeRoutes(service: service, metrics: metrics, readiness: readiness, maxBodyBytes: configuration.maxBodyBytes)
        let limits = HTTPLimits(maxBodyBytes: configuration.maxBodyBytes)
        host = HTTPHost(
            role: "serve", host: configuration.host, port: configuration.port, responder: routes.router(metrics: registry).buildResponder(),
            limits: { _ in limits }, logger: logger)
    }

    /// Serves until asked to stop: then no new request is taken, those in flight are answered, and their records are written.
    package func run() async throws {
        enum Part { case host, upkeep, queue }
        try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask {
                await queue.run()
                return .queue
            }
            group.addTask {
                do { try await cancelWhenGracefulShutdown { try await keepUp() } } catch is CancellationError {}
                for stream in streams { try await stream.release() }
                return .upkeep
            }
            group.addTask {
                try await host.run()
                return .host
            }
            do {
                // Requests come first: when the last one has been answered, what waits is written and the queue ends.
                for try await part in group where part == .host { queue.close() }
            } catch {
                queue.close()
                group.cancelAll()
                throw error
            }
        }
    }

    /// Reads the registry and the features once, so that the first request finds them.
    /// - Throws: ``ModelWatcher/NothingToServe`` when a model has neither the wanted alias nor `baseline`.
    package func load() async throws {
        try await features?.refresh()
        if features != nil { readiness.set("features", true) }
        for watcher in watchers {
            try await watcher.check(at: .now)
            readiness.set("model \(watcher.slot.name)", watcher.slot.current != nil)
        }
    }

    /// The versions that are served now, with the aliases they were found under.
    package var served: [(version: ModelVersion, alias: String)] {
        watchers.compactMap { $0.slot.current.map { (version: $0.version, alias: $0.alias) } }
    }

    /// From where on stream prediction counts; call it before the rows come that should be predicted.
    /// - Throws: ``StreamPredictor/Error/held(_:)`` while another process predicts some of the stream.
    package func openStreams(from start: StreamPredictor.Start) async throws {
        for stream in streams {
            try await stream.open(from: start)
            guard await stream.hasAll else { throw StreamPredictor.Error.held(stream.model) }
        }
    }

    /// Predicts all rows that the view's topic holds and writes what waits, for a replay that must end.
    ///
    /// Needs ``openStreams(from:)`` and ``load()`` before; requests that were answered meanwhile need ``run()``.
    /// - Returns: Stream predictions made.
    @discardableResult
    package func drain() async throws -> Int {
        var total = 0
        for stream in streams { total += try await stream.drain() }
        return total
    }

    /// Waits until the predictions of all answered requests are in the log; needs ``run()`` to be running.
    package func flush() async { await queue.flush() }

    private func keepUp() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let features {
                group.addTask {
                    try await features.run { logger.warning("features wait for the log", metadata: ["error": "\($0)"]) }
                }
            }
            for watcher in watchers {
                let events = RegistryNews(topic: configuration.registryTopic, log: log)
                group.addTask { await watcher.run { await events.areThereAny() } }
            }
            for stream in streams {
                group.addTask { try await stream.run(from: configuration.streamStart) }
            }
            group.addTask { await watchReadiness() }
            while try await group.next() != nil {}
        }
    }

    private func watchReadiness() async {
        while !Task.isCancelled {
            for watcher in watchers { readiness.set("model \(watcher.slot.name)", watcher.slot.current != nil) }
            if let features { readiness.set("features", await features.isReady) }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { break }
        }
        // A server that drains gets no new work.
        for watcher in watchers { readiness.set("model \(watcher.slot.name)", false) }
    }
}

/// Whether the registry has said something since it was last asked.
private actor RegistryNews {
    private let topic: String?
    private let log: any EventLog
    private var ends: [Int64] = []

    init(topic: String?, log: any EventLog) {
        self.topic = topic
        self.log = log
    }

    /// A log that cannot be read brings no news; the registry is asked every two seconds all the same.
    func areThereAny() async -> Bool {
        guard let topic, let now = try? await log.endOffsets(topic: topic) else { return false }
        defer { ends = now }
        return !ends.isEmpty && now != ends
    }
}
