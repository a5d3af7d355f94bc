import ArgumentParser

/// From raw events to monitored predictions: one program, one file that says what to do.
@main
struct MLOps: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mlops", abstract: "From raw events to monitored predictions, as one file says.",
        version: Version.text,
        subcommands: [All.self, Check.self, Produce.self, Features.self, Train.self, Serve.self, Monitor.self, Track.self])
}

enum Version {
    static let text = "0.1.0"
}
