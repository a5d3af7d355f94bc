import ArgumentParser
import Domain
import EventLog
import Logging
import Registry
import ServiceLifecycle
import Telemetry
import TrackRole
import Tracking
import Web

struct TrackWhy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "From one prediction to its inputs, model version, run, data and code.",
        discussion: "Asks the tracking server that runs, or opens the directory itself when none does.")

    @OptionGroup var server: TrackServerOptions

    @Argument(help: "The prediction's id, as in the topic predictions.")
    var prediction: String

    @Option(help: "How many of the newest predictions of each partition to look through.")
    var limit = 1_000_000

    @Flag(help: "Print JSON, with everything that is known.")
    var json = false

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1") }
    }

    func run() async throws {
        try await ExitStatus.mapped {
            let session = try await server.session()
            guard let found = try await find(session) else {
                throw Failure(
                    .failed,
                    "no prediction \(prediction) among the newest \(limit) of each partition of \(Topics.predictions(session.project))")
            }
            let story: PredictionStory = try await withServer(session) { client in try await self.story(of: found, client) }
            print(json ? String(decoding: story.json, as: UTF8.self) + "\n" : story.text, terminator: "")
        }
    }

    /// A server of its own, for as long as the question takes, when none runs.
    private func withServer<Value: Sendable>(
        _ session: Session, _ body: @Sendable (TrackingClient) async throws -> Value
    ) async throws -> Value {
        if let running = try await Tracker.running(session) { return try await body(running) }
        let tracker = try await Tracker.find(session)
        return try await withThrowingTaskGroup(of: Void.self, returning: Value.self) { group in
            guard let own = tracker.own else { return try await body(try await tracker.client()) }
            let services = ServiceGroup(
                configuration: .init(services: [own], logger: Logger(label: "why") { _ in SwiftLogNoOpLogHandler() }))
            group.addTask { try await services.run() }
            let value = try await body(try await tracker.client())
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            return value
        }
    }

    private func story(of found: (record: JSONValue, entity: String?), _ client: TrackingClient) async throws -> PredictionStory {
        guard let model = found.record["model"]?.string, let number = found.record["version"]?.int64 else {
            throw Failure(.badInput, "the record of prediction \(prediction) names no model version")
        }
        let version = ModelVersion(model: model, number: Int(number))
        let lineage: JSONValue
        do throws(TrackingFailure) { lineage = try await client.lineage(version) } catch {
            guard error.code == .doesNotExist else { throw error }
            throw Failure(.failed, "prediction \(prediction) was made by \(model) version \(number), which \(client.url) does not know")
        }
        // A model that another program has logged has no such file.
        let place = try await client.downloadURI(version)
        let artefact = try? JSONReader.read(try await client.download(uri: place, path: ModelArtefact.metadataPath))
        return PredictionStory(prediction: found.record, entity: found.entity, lineage: lineage, artefact: artefact)
    }

    /// From the newest record backwards, a block at a time.
    private func find(_ session: Session) async throws -> (record: JSONValue, entity: String?)? {
        let topic = Topics.predictions(session.project), block = 1_000
        let needle = Array(prediction.utf8)
        for (partition, end) in try await session.log.endOffsets(topic: topic).enumerated() {
            var start = end
            while start > 0, end - start < Int64(limit) {
                let from = max(0, start - Int64(block))
                let batch = try await session.log.read(topic: topic, partition: partition, from: from, limit: Int(start - from))
                for stored in try batch.records() {
                    guard let value = stored.record.value, value.contains(needle), let json = try? JSONReader.read(value),
                        json["id"]?.string == prediction
                    else { continue }
                    return (json, stored.record.key.map { String(decoding: $0, as: UTF8.self) })
                }
                start = from
            }
        }
        return nil
    }
}
