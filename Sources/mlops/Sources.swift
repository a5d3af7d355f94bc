import Domain
import Expressions
import Features
import ProduceRole
import Project
import Settings

/// The sources of a project as a run wants them.
struct Sources {
    private let session: Session
    private let factory: SourceFactory
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
        factory = SourceFactory(directory: session.project.directory, synthetic: synthetic, paths: paths)
    }

    func producers(_ settings: ProduceSettings) throws -> [Producer] {
        let chosen = session.project.sources.filter { settings.sources.isEmpty || settings.sources.contains($0.name) }
        return chosen.compactMap { source in
            if case .synthetic = source.kind, settings.once, synthetic.duration == nil { return nil }
            return producer(source, speed: settings.speed)
        }
    }

    func producer(_ source: SourceDefinition, speed: Speed) -> Producer? {
        guard let stream = session.project.streams.first(where: { $0.name == source.stream }) else { return nil }
        let factory = factory
        let plan = Producer.Plan(
            source: source.name, topic: stream.topic, speed: speed, idlePatience: speed == .unlimited ? nil : Self.idlePatience,
            projectHash: session.project.hash)
        let begun = ContinuousClock.now
        return Producer(
            plan, log: session.log, clocks: .init(wall: session.wall, monotonic: { ContinuousClock.now - begun }),
            logger: session.logger(.produce)
        ) { try factory.open(source, into: stream) }
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
        return (stream, try factory.open(source, into: stream))
    }
}
