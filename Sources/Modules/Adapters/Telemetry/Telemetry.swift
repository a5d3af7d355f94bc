package import Domain
import Foundation
package import Logging
import Metrics
import Synchronization

/// Logs and metrics of the process, set up once before anything logs or counts.
package enum Telemetry {
    /// The registry behind every `Counter`, `Gauge`, `Timer` and `Recorder` of the process.
    package static let metrics = MetricsRegistry()

    private static let isBootstrapped = Mutex(false)

    /// Sends all logs of the process to `sink` and all metrics to ``metrics``. A second call changes nothing.
    ///
    /// - Parameter style: JSON where a collector reads, text for a person.
    package static func bootstrap(level: Logger.Level, style: LineLogHandler.Style, sink: LogSink = .standardError) {
        let isFirst = isBootstrapped.withLock { done in
            defer { done = true }
            return !done
        }
        guard isFirst else { return }
        LoggingSystem.bootstrap { role in LineLogHandler(role: role, level: level, style: style, sink: sink, now: wallClock) }
        MetricsSystem.bootstrap(metrics)
    }

    /// Wall time in milliseconds since the Unix epoch.
    @Sendable package static func wallClock() -> EventTime.Milliseconds {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    }
}
