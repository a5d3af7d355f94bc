import Domain
import EventLog
import FeatureRole
import FeatureStore
import Features
import Foundation
import Learning
import MonitorRole
import ProduceRole
import Project
import ServeRole
import ServiceLifecycle
import Settings
import Table
import Tracking
import TrainRole
import Web

/// What a loop runs over.
struct LoopInput: Sendable {
    let sources: [SourceDefinition]
    let options: SourceOptions
    /// Whether a finite history comes before the live events.
    let hasHistory: Bool
    let trainUntil: EventTime.Milliseconds?
}

/// The whole loop once over a finite input: train on the first part, then predict, label and monitor the rest.
struct LoopOnce: Sendable {
    private let session: Session
    private let settings: AllSettings
    private let input: LoopInput
    private let tracker: Tracker

    /// The share of the event-time span that is trained on.
    private static let trainingShare = 0.8

    init(_ session: Session, _ settings: AllSettings, _ input: LoopInput, _ tracker: Tracker) {
        self.session = session
        self.settings = settings
        self.input = input
        self.tracker = tracker
    }

    func run(before: [any Service]) async throws {
        try await RoleRunner(session).run(OneShot { try await loop() }, before: before, isService: false)
    }

    private func loop() async throws {
        guard let source = input.sources.first, input.sources.count == 1 else {
            throw Failure(.badSettings, "--once runs over one source; choose it with --replay or --source")
        }
        let producer = try await Sources(session, input.options).producer(source, speed: .unlimited)
        guard let span = try await producer.span() else {
            throw Failure(.badSettings, "source \"\(source.name)\" has no end; give --duration, or replay a file")
        }
        let until = input.trainUntil ?? span.lowerBound + Int64(Double(span.upperBound - span.lowerBound) * Self.trainingShare)
        say(
            "source \(source.name): \(EventTime.format(span.lowerBound)) to \(EventTime.format(span.upperBound)), training until \(EventTime.format(until))"
        )

        let features = try session.featureRole(settings.features)
        guard try await features.features.lease() > 0 else {
            throw Failure(.unreachable, "another process computes the features of this log")
        }
        try await producer.feed(until: until)
        let firstRecords = try await features.features.drain()
        try await features.archiveAll()
        say("features: \(firstRecords) records processed")

        let client = try await tracker.client()
        if session.project.training != nil {
            let result = try await session.trainRole(settings.train, client, notAfter: until).run()
            say(Outcome.text(result))
        } else {
            say("nothing is trained: the project has no training:")
        }
        try await serveAndMonitor(producer, features.features.drain, client, end: span.upperBound)
        for note in await features.features.lateNotes() { say(note) }
        try await features.archiveAll()
        try await features.features.release()
    }

    private func serveAndMonitor(
        _ producer: Producer, _ drain: @escaping @Sendable () async throws -> Int, _ client: TrackingClient, end: EventTime.Milliseconds
    ) async throws {
        // A replay measures ages by the time of its events, not by the clock on the wall.
        let serve = try session.project.serving.map { _ in try session.serveRole(settings.serve, client: client, wall: { end }) }
        try await serve?.load()
        try await serve?.openStreams(from: .latest)
        for served in serve?.served ?? [] { say("serving \(served.version) as \(served.alias)") }
        try await producer.feed()
        try await producer.finish()
        let records = try await drain()
        if let serve {
            try await serve.load()
            let predictions = try await serve.drain()
            say("the rest: \(records) records, \(predictions) rows predicted")
            try await whileRunning(serve) { try await ask(try await serve.address.wait().url) }
            await serve.flush()
        } else {
            say("the rest: \(records) records; nothing is served: the project has no serving:")
        }
        guard session.project.monitoring != nil else { return say("nothing is monitored: the project has no monitoring:") }
        let monitor = try session.monitorRole(port: nil, client: client)
        try await monitor.drain()
        try await monitor.writeReport()
        say(await monitor.summary())
        say("report: \(session.reportPath)")
    }

    /// Runs a service for as long as `body` takes, then lets it drain.
    private func whileRunning(_ service: any Service, _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: session.logger(.serve)))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            while try await tasks.next() != nil {}
        }
    }

    /// Asks the running server for one prediction, as a client would, and shows question and answer.
    private func ask(_ url: String) async throws {
        guard let serving = session.project.serving, let model = serving.models.first,
            let view = session.views.first(where: { $0.definition.name == serving.featuresFrom }), let key = view.schema.key.first,
            let row = try await session.offlineStore.read(view: view.definition.name).table.lastRow(of: key.name)
        else { return }
        var call = JSONClient.Call(.post, "/v1/models/\(model.name):predict", isIdempotent: true)
        let body = Array("{\"instances\":[".utf8) + JSONText.object([(key.name, row)]) + Array("]}".utf8)
        call.body = body
        let answer = try await JSONClient(baseURL: url).send(call)
        say("POST \(call.path) \(String(decoding: body, as: UTF8.self))")
        say("  \(answer.status) \(String(decoding: answer.body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))")
    }

    private func say(_ text: String) { print(text) }
}
