import ArgumentParser
import Domain
import EventLog
import Foundation
import Settings
import Telemetry
import Tracking
import Web

/// Commands that ask a running server.
struct TrackServerOptions: ParsableArguments {
    @OptionGroup var options: RunOptions

    /// The server that the settings name, or the one that works on the directory.
    func client() async throws -> (TrackingClient, Session) {
        let (session, _) = try await Session.open(.track, options) { reader, _ in try TrackSettings(reader: reader) }
        guard let client = await Tracker.running(session) else {
            throw Failure(.unreachable, "no tracking server: name one with --track-url, or start mlops track on this directory")
        }
        return (client, session)
    }
}

struct TrackPromote: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote", abstract: "Point an alias at a version; the audit keeps who did it and why.")

    @OptionGroup var server: TrackServerOptions

    @Argument(help: "The registered model.")
    var model: String

    @Argument(help: "The version's number.")
    var version: Int

    @Option(help: "The alias.")
    var alias = "champion"

    @Option(help: "Why; the audit keeps it.")
    var reason: String

    func run() async throws {
        try await ExitStatus.mapped {
            let (client, _) = try await server.client()
            try await client.setAlias(
                model: model, alias: alias, version: version, promotion: Promotion(actor: NSUserName(), reason: reason))
            print("\(model) \(alias) is version \(version)")
        }
    }
}

struct TrackRollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Point an alias back at what it stood for before.")

    @OptionGroup var server: TrackServerOptions

    @Argument(help: "The registered model.")
    var model: String

    @Option(help: "The alias.")
    var alias = "champion"

    @Option(help: "Why; the audit keeps it.")
    var reason: String

    func run() async throws {
        try await ExitStatus.mapped {
            let (client, _) = try await server.client()
            let number = try await client.rollback(
                model: model, alias: alias, promotion: Promotion(actor: NSUserName(), reason: reason))
            print("\(model) \(alias) is version \(number) again")
        }
    }
}

struct TrackWhy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "From one prediction to its features, model version, run, data and code, as JSON.")

    @OptionGroup var server: TrackServerOptions

    @Argument(help: "The prediction's id.")
    var prediction: String

    @Option(help: "How many of the newest predictions to look through.")
    var limit = 1_000_000

    func run() async throws {
        try await ExitStatus.mapped {
            let (client, session) = try await server.client()
            guard let found = try await find(session) else {
                throw Failure(.failed, "no prediction \(prediction) among the newest \(limit)")
            }
            var writer = JSONWriter()
            let lineage = try await lineage(of: found, client)
            writer.object { writer in
                writer.key("prediction")
                writer.value(found)
                if let lineage {
                    writer.key("lineage")
                    writer.value(lineage)
                }
            }
            print(String(decoding: writer.bytes, as: UTF8.self))
        }
    }

    private func lineage(of prediction: JSONValue, _ client: TrackingClient) async throws -> JSONValue? {
        guard let model = prediction["model"]?.string, let version = prediction["version"]?.int64 else { return nil }
        return try await client.lineage(ModelVersion(model: model, number: Int(version)))
    }

    /// From the newest record backwards, a block at a time.
    private func find(_ session: Session) async throws -> JSONValue? {
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
                    return json
                }
                start = from
            }
        }
        return nil
    }
}
