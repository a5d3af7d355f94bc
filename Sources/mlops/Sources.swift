import Domain
import EventLog
import Expressions
import Features
import Logging
import ProduceRole
import Project
import Settings

/// The sources of a project as a run wants them.
struct Sources {
    let session: Session
    private let paths: [String: String]
    private let synthetic: SourceFactory.Synthetic
    private let truthPath: String?
    let capture: MarketSender.Capture

    /// Silence of a key after which a live producer tells the log that time has passed.
    static let idlePatience = Duration.seconds(5)

    /// - Parameter capture: What to do with what comes over the network.
    init(_ session: Session, _ options: SourceOptions, capture: MarketSender.Capture = .none) throws {
        let duration = options.duration.flatMap(DurationText.parse)
        let minute: Int64 = 60_000
        let start = options.start.flatMap { EventTime.parse($0) } ?? (session.wall() - (duration ?? 0)).flooredQuotient(by: minute) * minute
        self.init(
            session, synthetic: .init(start: start, duration: duration, rate: options.rate), paths: options.paths, truthPath: options.truth,
            capture: capture)
        for name in options.paths.keys where !session.project.sources.contains(where: { $0.name == name }) {
            throw Failure(
                .badSettings,
                "there is no source \"\(name)\"" + SpellingSuggestion.hint(for: name, among: session.project.sources.map(\.name)))
        }
    }

    private init(
        _ session: Session, synthetic: SourceFactory.Synthetic, paths: [String: String], truthPath: String?,
        capture: MarketSender.Capture
    ) {
        self.session = session
        self.synthetic = synthetic
        self.paths = paths
        self.truthPath = truthPath
        self.capture = capture
    }

    /// What sends each of the project's sources that the settings choose.
    func senders(_ settings: ProduceSettings) async throws -> [any Sending] {
        var senders: [any Sending] = []
        for source in chosen(settings.sources) {
            if settings.once, isEndless(source) {
                session.logger(.produce).notice(
                    "source left out: it has no end, and --once waits for it",
                    metadata: ["source": "\(source.name)", "ends_with": "\(ending(of: source))"])
                continue
            }
            senders.append(try await sender(source, speed: settings.speed, once: settings.once))
        }
        if senders.isEmpty { session.logger(.produce).notice("there is no source to run") }
        return senders
    }

    func sender(_ source: SourceDefinition, speed: Speed, once: Bool = false) async throws -> any Sending {
        switch source.kind {
        case .synthetic, .file: try await producer(source, speed: speed)
        case .market(let market): try marketSender(source, market)
        case .topic(let name, let log): try await topicSender(source, topic: name, log: log, once: once)
        }
    }

    private func ending(of source: SourceDefinition) -> String {
        if case .market = source.kind { "--replay" } else { "--duration" }
    }

    private func isEndless(_ source: SourceDefinition) -> Bool {
        switch source.kind {
        case .synthetic: synthetic.duration == nil
        case .market: if case .replay = capture { false } else { true }
        case .file, .topic: false
        }
    }

    /// The sources that are named, or all but the optional ones that have no file.
    func chosen(_ names: [String]) -> [SourceDefinition] {
        session.project.sources.filter { source in
            guard names.isEmpty else { return names.contains(source.name) }
            guard paths[source.name] == nil, case .file(let written, isOptional: true) = source.kind else { return true }
            let path = factory(synthetic).path(of: source, written)
            if SourceFiles.exist(path) { return true }
            session.logger(.produce).notice(
                "source left out: it is optional and there is no such file", metadata: ["source": "\(source.name)", "path": "\(path)"])
            return false
        }
    }

    func producer(_ source: SourceDefinition, speed: Speed) async throws -> Producer {
        let stream = try stream(of: source), factory = factory(try await remembered(source))
        let target = SourceWriter.Target(
            source: source.name, topic: stream.topic, input: input(of: source), projectHash: session.project.hash)
        let plan = Producer.Plan(target, speed: speed, idlePatience: speed == .unlimited ? nil : Self.idlePatience)
        return Producer(plan, log: session.log, clocks: clocks, logger: session.logger(.produce)) {
            try Self.open(source, into: stream, factory)
        }
    }

    func stream(of source: SourceDefinition) throws -> StreamDefinition {
        guard let stream = session.project.stream(source.stream) else {
            throw Failure(.badSettings, "source \"\(source.name)\" names no stream of the project")
        }
        return stream
    }

    var clocks: Clocks {
        let begun = ContinuousClock.now
        return Clocks(wall: session.wall, monotonic: { ContinuousClock.now - begun })
    }

    private func factory(_ synthetic: SourceFactory.Synthetic) -> SourceFactory {
        SourceFactory(directory: session.project.directory, synthetic: synthetic, paths: paths, truthPath: truthPath)
    }

    private static func open(
        _ source: SourceDefinition, into stream: StreamDefinition, _ factory: SourceFactory
    ) throws -> PartedSource {
        switch source.kind {
        case .synthetic(let definition): return factory.open(definition, constants: source.set, into: stream)
        case .file(let path, _): return try factory.open(file: path, of: source, into: stream)
        case .market, .topic:
            throw Failure(.badSettings, "source \"\(source.name)\" has no end and is not read from a file or a generator")
        }
    }

    private func input(of source: SourceDefinition) -> String {
        switch source.kind {
        case .synthetic(let definition):
            SourcePlan.text(
                .synthetic(
                    SyntheticDefinition(
                        pairs: definition.pairs, rate: synthetic.rate ?? definition.rate, seed: definition.seed,
                        planting: definition.planting)))
        case .file(let path, _): paths[source.name] ?? path
        case .market, .topic: SourcePlan.text(source.kind)
        }
    }

    /// When the first of these sources began, as text.
    func start(of sources: [SourceDefinition]) async throws -> String? {
        guard let source = sources.first else { return nil }
        return EventTime.format(try await remembered(source).start)
    }

    /// A synthetic source that has begun goes on from its own beginning, whatever the clock says now.
    private func remembered(_ source: SourceDefinition) async throws -> SourceFactory.Synthetic {
        guard case .synthetic = source.kind else { return synthetic }
        let group = "source/\(source.name)"
        if let saved = try await session.log.savedState(group: group, partition: 0)["start"],
            let start = Int64(String(decoding: saved, as: UTF8.self))
        {
            return .init(start: start, duration: synthetic.duration, rate: synthetic.rate)
        }
        try await session.log.commit(
            LogUnit(
                group: group,
                state: [.init(key: Array("start".utf8), value: Array(String(synthetic.start).utf8))]))
        return synthetic
    }

    /// Opens a source without a producer: for the batch path.
    func open(_ name: String) throws -> (stream: StreamDefinition, source: any EventSource) {
        guard let source = session.project.sources.first(where: { $0.name == name }),
            let stream = session.project.streams.first(where: { $0.name == source.stream })
        else {
            throw Failure(
                .badSettings,
                "there is no source \"\(name)\"" + SpellingSuggestion.hint(for: name, among: session.project.sources.map(\.name)))
        }
        return (stream, try Self.open(source, into: stream, factory(synthetic)))
    }
}
