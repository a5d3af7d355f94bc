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

    func session() async throws -> Session {
        try await Session.open(.track, options) { reader, _ in try TrackSettings(reader: reader) }.0
    }

    /// The server that the settings name, or the one that works on the directory.
    func client() async throws -> (TrackingClient, Session) {
        let session = try await session()
        guard let client = try await Tracker.running(session) else {
            throw Failure(
                .unreachable,
                "no tracking server: name one with --track-url, or start mlops track on this directory" + Tracker.hint(session))
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
