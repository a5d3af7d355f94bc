import Domain
import EventLog
import FeatureRole
import Features
import Foundation
import Learning
import Logging
import ProduceRole
import Project
import ServeRole
import ServiceLifecycle
import Settings
import Tracking
import Synchronization
import TrainRole

/// All roles as services of one process, until it is asked to stop.
struct LoopLive: Sendable {
    private let session: Session
    private let settings: AllSettings
    private let input: LoopInput
    private let tracker: Tracker

    init(_ session: Session, _ settings: AllSettings, _ input: LoopInput, _ tracker: Tracker) {
        self.session = session
        self.settings = settings
        self.input = input
        self.tracker = tracker
    }

    /// Set once the finite history, if there is one, is in the log.
    private let isFed = Fed()

    func run(before: [any Service]) async throws {
        let features = try session.featureRole(settings.features)
        let monitorPort = settings.monitor.port.number
        var roles: [any Service] = [features]
        if session.project.serving != nil {
            roles.append(
                Deferred(session, .serve) { [session, settings, tracker] in
                    try session.serveRole(settings.serve, client: try await tracker.client())
                })
        }
        if session.project.monitoring != nil {
            roles.append(
                Deferred(session, .monitor) { [session, tracker] in
                    try session.monitorRole(port: monitorPort, client: try await tracker.client())
                })
        }
        if let training = session.project.training { roles.append(OneShot { try await train(training) }) }
        let events = OneShot {
            try await produce(features)
            // Finite sources have ended; the other roles go on until they are asked to stop.
            try await gracefulShutdown()
        }
        try await RoleRunner(session).run(events, before: before + roles)
    }

    private func produce(_ features: FeatureRole) async throws {
        var options = input.options
        if input.hasHistory {
            let sources = try Sources(session, options)
            for source in input.sources {
                let producer = try await sources.producer(source, speed: .unlimited)
                try await producer.feed()
                try await producer.release()
            }
            isFed.mark()
            // The same events go on from where the history ends, now at the pace of the clock.
            options.start = try await sources.start(of: input.sources)
            options.duration = nil
        }
        let live = try Sources(session, options)
        var senders: [any Sending] = []
        for source in input.sources { senders.append(try await live.sender(source, speed: settings.produce.speed)) }
        try await ProduceRole(senders: senders, logger: session.logger(.produce)).run()
    }

    /// Training begins when the gate would have enough rows to judge, and comes again every three hours.
    private static let trainingInterval = Duration.seconds(3 * 3_600)
    private static let patience = Duration.milliseconds(50)

    private func train(_ training: TrainingDefinition) async throws {
        let logger = session.logger(.train)
        let needed = Int(Double(training.gate.minTestRows) / max(training.split.test, 0.01)) + 1
        let client = try await tracker.client()
        let role = try session.trainRole(settings.train, client)
        while !Task.isCancelled {
            guard !input.hasHistory || isFed.isMarked, try await historyIsSettled(training.view, atLeast: needed) else {
                try await Task.sleep(for: Self.patience)
                continue
            }
            do {
                let result = try await role.run()
                logger.info("\(Outcome.text(result).split(separator: "\n").first ?? "")")
            } catch let error where !(error is CancellationError) {
                logger.error("training failed", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: Self.trainingInterval)
        }
    }

    /// Whether the view has rows enough, and a history that was fed at full speed has gone through.
    private func historyIsSettled(_ view: String, atLeast needed: Int) async throws -> Bool {
        guard let found = session.views.first(where: { $0.definition.name == view }),
            let stream = session.project.compiled.first(where: { $0.views.views.contains { $0.definition.name == view } })?.stream
        else { return false }
        guard try await session.log.endOffsets(topic: found.definition.topic).reduce(0, +) >= Int64(needed) else { return false }
        var behind: Int64 = 0
        for (partition, end) in try await session.log.endOffsets(topic: stream.topic).enumerated() {
            behind += end - (try await session.log.committed(group: FeatureWorker.group(stream), topic: stream.topic, partition: partition))
        }
        return behind < 1_000
    }
}

/// A flag that is raised once.
private final class Fed: Sendable {
    private let state = Mutex(false)

    var isMarked: Bool { state.withLock { $0 } }
    func mark() { state.withLock { $0 = true } }
}
