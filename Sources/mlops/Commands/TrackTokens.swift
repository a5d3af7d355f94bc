import ArgumentParser
import Domain
import Expressions
import Foundation
import ObjectStore
import Settings
import Telemetry
import TrackRole
import Tracking

/// Who may use the server. Works on the directory itself, whether or not the server runs.
struct TrackToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Create, list and revoke the tokens of the tracking server.",
        subcommands: [TrackTokenCreate.self, TrackTokenList.self, TrackTokenRevoke.self])
}

/// The tracking directory that a command works on.
struct TrackDirectory: ParsableArguments {
    @Option(help: "The tracking server's directory (what --data names for the server).")
    var data: String?

    @Option(help: "The folder that holds mlops.yaml, or the file itself; its .mlops is the directory when --data is not given.")
    var project = "."

    var path: String {
        if let data { return data }
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: project, isDirectory: &isFolder)
        let folder = exists && !isFolder.boolValue ? (project as NSString).deletingLastPathComponent : project
        return (folder.isEmpty ? "." : folder) + "/.mlops"
    }

    /// Where the directory's server keeps its artefacts: beside the database, or where it has noted.
    func artifactPlace() throws -> ArtifactPlace {
        try ArtifactPlace.noted(in: path) { endpoint, region, isPathStyle, authority in
            S3Options(
                endpoint: endpoint, region: region, isPathStyle: isPathStyle, authority: authority,
                environment: ProcessInfo.processInfo.environment, now: Telemetry.wallClock)
        }
    }

    func artifacts() async throws -> ArtifactStore { try await artifactPlace().open(maxBytes: 1 << 40) }

    /// The database beside the server that may be running: never migrated here, refused when it is of another version.
    /// - Parameter mustExist: Refuses a directory without a server's database instead of making one.
    func database(_ mode: TrackingDatabase.Mode = .guest, mustExist: Bool = true) async throws -> TrackingDatabase {
        if mustExist { _ = try databaseFile() }
        return try await TrackRole.database(path, mode: mode)
    }

    func databaseFile() throws -> String {
        let file = path + "/tracking.sqlite"
        guard FileManager.default.fileExists(atPath: file) else {
            throw Failure(.badSettings, "\(path) holds no tracking.sqlite; name the server's directory with --data")
        }
        return file
    }
}

struct TrackTokenCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Make a token; its text is shown this one time.")

    @OptionGroup var directory: TrackDirectory

    @Option(help: "Who uses it; the audit of promotions shows it.")
    var name: String

    @Option(help: "reader, trainer, promoter or admin.")
    var role: String

    @Option(help: "An experiment it reaches, by name or id, with * at the end for all that begin so; repeat it. All when not given.")
    var experiment: [String] = []

    @Option(help: "A registered model it reaches, likewise.")
    var model: [String] = []

    @Option(help: "How long it is good for, such as 12h or 90d; for ever when not given.")
    var expires: String?

    func run() async throws {
        try await ExitStatus.mapped {
            guard let role = AccessRole(rawValue: role) else {
                throw Failure(.badSettings, "--role \(role) is not one of \(AccessRole.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            let now = Telemetry.wallClock()
            var end: EventTime.Milliseconds?
            if let expires {
                guard let length = DurationText.parse(expires), length > 0 else {
                    throw Failure(.badSettings, "--expires \(expires) is not a duration such as 12h or 90d")
                }
                end = now + length
            }
            let tokens = TokenStore(database: try await directory.database(mustExist: false))
            let secret = try await tokens.create(
                name: name, role: role, experiments: AccessScope(patterns: experiment), models: AccessScope(patterns: model),
                expiresAt: end, now: now
            ).secret
            print(secret)
        }
    }
}

struct TrackTokenList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the tokens, without their texts.")

    @OptionGroup var directory: TrackDirectory

    func run() async throws {
        try await ExitStatus.mapped {
            let now = Telemetry.wallClock()
            for token in try await TokenStore(database: try await directory.database(.reader)).list() {
                let state = token.revokedAt != nil ? "revoked" : token.isValid(at: now) ? "valid" : "expired"
                print(
                    [
                        token.id, token.name, token.role.rawValue, state, "experiments=" + Self.text(token.experiments),
                        "models=" + Self.text(token.models), "created=" + Self.time(token.createdAt),
                        "expires=" + (token.expiresAt.map(Self.time) ?? "never"),
                    ].joined(separator: "\t"))
            }
        }
    }

    private static func time(_ time: EventTime.Milliseconds) -> String {
        Date(timeIntervalSince1970: Double(time) / 1_000).formatted(.iso8601)
    }

    private static func text(_ scope: AccessScope) -> String { scope.patterns.map { $0.joined(separator: ",") } ?? "*" }
}

struct TrackTokenRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "revoke", abstract: "Take a token back, at once.")

    @OptionGroup var directory: TrackDirectory

    @Argument(help: "The token's name or id.")
    var name: String

    func run() async throws {
        try await ExitStatus.mapped {
            try await TokenStore(database: try await directory.database()).revoke(name, now: Telemetry.wallClock())
        }
    }
}
