package import Domain
package import Features
package import Project
import Columnar

/// Makes the sources of a project file.
package struct SourceFactory: Sendable {
    /// How much of a synthetic source is generated.
    package struct Synthetic: Sendable, Hashable {
        package let start: EventTime.Milliseconds
        /// Milliseconds of event time; `nil` for no end.
        package let duration: EventTime.Milliseconds?
        /// Trades per second of event time; `nil` for the source's own rate.
        package let rate: Double?

        package init(start: EventTime.Milliseconds, duration: EventTime.Milliseconds?, rate: Double?) {
            self.start = start
            self.duration = duration
            self.rate = rate
        }
    }

    private let directory: String
    private let synthetic: Synthetic
    /// Paths given on the command line, by source name.
    private let paths: [String: String]

    /// - Parameter directory: Where relative paths of the project file start.
    package init(directory: String, synthetic: Synthetic, paths: [String: String]) {
        self.directory = directory
        self.synthetic = synthetic
        self.paths = paths
    }

    /// Opens a source at its beginning.
    /// - Parameter stream: The stream the source names.
    package func open(_ source: SourceDefinition, into stream: StreamDefinition) throws -> any EventSource {
        switch source.kind {
        case .synthetic(let pairs, let rate, let seed):
            let trades = SyntheticTrades(
                pairs: pairs, rate: synthetic.rate ?? rate, seed: seed, start: synthetic.start)
            return SyntheticSource(
                trades: trades, start: synthetic.start, duration: synthetic.duration, stream: stream, constants: source.set)
        case .file(let written):
            let path = paths[source.name] ?? (written.hasPrefix("/") ? written : directory + "/" + written)
            if source.set.isEmpty, source.map.isEmpty, TableFile.Format(path: path) == .jsonl {
                return try JSONLinesSource(path: path, stream: stream)
            }
            return try FileSource(path: path, stream: stream, constants: source.set, map: source.map)
        }
    }
}
