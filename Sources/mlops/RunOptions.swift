import ArgumentParser
import Settings

/// The options that every subcommand takes. None has a default here: that would hide the environment and the file.
struct RunOptions: ParsableArguments {
    @Option(help: "The folder that holds mlops.yaml, or the file itself.")
    var project = "."

    @Option(help: "Keep everything in this directory: the log too, unless --event-log names another.")
    var data: String?

    @Option(help: "The event log that the roles meet at: local:DIRECTORY or kafka://HOST:PORT[,HOST:PORT].")
    var eventLog: String?

    @Option(help: "What a commit survives: process or full.")
    var durability: String?

    @Option(help: "The least severe log lines that are written.")
    var logLevel: String?

    @Option(help: "How log lines look: text or json.")
    var logFormat: String?

    @Option(help: "The address to listen on.")
    var host: String?

    @Option(help: "Port of health, readiness and metrics; 0 lets the system choose.")
    var adminPort: String?

    @Option(help: "The tracking server to use.")
    var trackUrl: String?

    @Option(help: "Where the tracking server keeps artifacts: a directory or s3://BUCKET/PREFIX.")
    var artifacts: String?

    @Option(help: "Where archives of rows and events are kept: a directory or s3://BUCKET/PREFIX.")
    var objects: String?

    @Flag(help: "Print the settings and where each comes from, and exit.")
    var checkConfig = false

    /// The flags that were given, for the settings of a role.
    func flags(_ role: Role) -> [SettingsFlag] {
        let given: [(String, String, String?)] = [
            ("data.directory", "--data", data), ("event_log.url", "--data", data.map { "local:\($0)" }),
            ("event_log.url", "--event-log", eventLog),
            ("event_log.durability", "--durability", durability), ("log.level", "--log-level", logLevel),
            ("log.format", "--log-format", logFormat), ("host", "--host", host),
            ("\(role.rawValue).admin_port", "--admin-port", adminPort), ("track.url", "--track-url", trackUrl),
            ("track.artifacts", "--artifacts", artifacts), ("objects.url", "--objects", objects),
        ]
        return given.compactMap { key, name, value in value.map { SettingsFlag(key, name: name, $0) } }
    }
}
