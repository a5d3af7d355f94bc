import Domain
import EventLog
import Expressions
import Features
import ProduceRole
import Project
import Settings

/// The sources of a project as a run wants them.
struct Sources {
    private let session: Session
    private let paths: [String: String]
    private let synthetic: SourceFactory.Synthetic

    /// Silence of a key after which a live producer tells the log that time has passed.
    private static let idlePatience = Duration.seconds(5)

    init(_ session: Session, _ options: SourceOptions) throws {
        let duration = options.duration.flatMap(DurationText.parse)
        let minute: Int64 = 60_000
        let start = options.start.flatMap { EventTime.parse($0) } ?? (session.wall() - (duration ?? 0)).flooredQuotient(by: minute) * minute
        self.init(session, synthetic: .init(start: start, duration: duration, rate: options.rate), paths: options.paths)
        for name in options.paths.keys where !session.project.sources.contains(where: { $0.name == name }) {
            throw Failure(
                .badSettings,
                "there is no source \"\(name)\"" + SpellingSuggestion.hint(for: name, among: session.project.sources.map(\.name)))
        }
    }

    init(_ session: Session, synthetic: SourceFactory.Synthetic, paths: [String: String] = [:]) {
        self.session = session
        self.synthetic = synthetic
        self.paths = paths
    }

    func producers(_ settings: ProduceSettings) async throws -> [Producer] {
        var producers: [Producer] = []
        for source in session.project.sources where settings.sources.isEmpty || settings.sources.contains(source.name) {
            if case .synthetic = source.kind, settings.once, synthetic.duration == nil { continue }
            producers.append(try await producer(source, speed: settings.speed))
        }
        return producers
    }

    func producer(_ source: SourceDefinition, speed: Speed) async throws -> Producer {
        guard let stream = session.project.stream(source.stream) else {
            throw Failure(.badSettings, "source \"\(source.name)\" names no stream of the project")
        }
        let factory = SourceFactory(directory: session.project.directory, synthetic: try await remembered(source), paths: paths)
        let plan = Producer.Plan(
            source: source.name, topic: stream.topic, input: input(of: source), speed: speed,
            idlePatience: speed == .unlimited ? nil : Self.idlePatience,
            projectHash: session.project.hash)
        let begun = ContinuousClock.now
        return Producer(
            plan, log: session.log, clocks: .init(wall: session.wall, monotonic: { ContinuousClock.now - begun }),
            logger: session.logger(.produce)
        ) { try factory.open(source, into: stream) }
    }

    private func input(of source: SourceDefinition) -> String {
        switch source.kind {
        case .synthetic(let pairs, let rate, let seed): "synthetic \(pairs.joined(separator: ",")) \(synthetic.rate ?? rate) \(seed)"
        case .file(let path): paths[source.name] ?? path
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
        let factory = SourceFactory(directory: session.project.directory, synthetic: synthetic, paths: paths)
        return (stream, try factory.open(source, into: stream))
    }
}
