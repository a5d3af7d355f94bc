import ArgumentParser

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// From raw events to monitored predictions: one program, one file that says what to do.
@main
struct MLOps: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mlops", abstract: "From raw events to monitored predictions, as one file says.",
        version: Version.text,
        subcommands: [All.self, Check.self, Produce.self, Features.self, Train.self, Serve.self, Monitor.self, Track.self])

    static func main() async {
        // A file that may not grow further (ulimit -f) is a write that fails and is told, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        await main(nil)
    }
}

enum Version {
    static let text = "0.1.0"
}
