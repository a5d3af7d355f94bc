import ArgumentParser
import Dispatch
import FeatureRole
import Foundation
import Settings
import Telemetry

/// Streams into feature rows.
struct Features: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute feature views.",
        subcommands: [
            FeaturesRun.self, FeaturesGet.self, FeaturesServe.self, FeaturesJoin.self, FeaturesExport.self, FeaturesBackfill.self,
            FeaturesParity.self,
        ],
        defaultSubcommand: FeaturesRun.self)
}

struct FeaturesRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Compute the views of every stream as events come (the default).")

    @OptionGroup var options: RunOptions

    @Flag(help: "Process what the streams hold now, archive it, and end.")
    var once = false

    @Flag(help: "If definitions have changed, compute every row again from the first event; otherwise nothing is different.")
    var rebuild = false

    @Option(help: .hidden)
    var from: String?

    func validate() throws {
        guard from != nil else { return }
        throw ValidationError(
            "--from is refused: rows computed from a later time on would differ from those computed from every event, and look the same. "
                + "Where events are lost, begin anew in an empty data directory with those that are left")
    }

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, settings) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            let role = try session.featureRole(settings, rebuilds: rebuild)
            // What computing needs comes on top of what is left of the start.
            DispatchQueue.global().async { ProgramPages.release() }
            guard once else { return try await RoleRunner(session).run(role) }
            let held = try await role.features.lease()
            guard held > 0 else { throw Failure(.unreachable, "another process computes the features of this log") }
            let begun = ContinuousClock.now
            let records = try await role.features.drain()
            let seconds = (ContinuousClock.now - begun).inSeconds
            try await role.archiveAll()
            try await role.features.release()
            print("\(records) records in \(String(format: "%.3f", seconds)) s, \(Int(Double(records) / max(seconds, 1e-9))) records/s")
            for note in await role.features.lateNotes() { print(note) }
        }
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
