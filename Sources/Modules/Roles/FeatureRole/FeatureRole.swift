package import Domain
package import EventLog
import FeatureStore
package import Features
package import Logging
import Metrics
package import ObjectStore
import ServiceLifecycle
package import Settings

/// The `features` role: streams in, feature rows out, archived as they come.
package struct FeatureRole: Service {
    package let features: StreamFeatures
    private let archives: [ViewArchive]
    private let eventArchives: [EventArchive]
    private let logger: Logger

    private let archiveInterval: Duration

    /// Rows that make a file worth writing while more are coming.
    private static let archiveMinRows = 20_000

    /// More processes than partitions: some of them would never have anything to do.
    package struct TooManyReplicas: Error, Equatable, CustomStringConvertible {
        package let replicas: Int
        package let partitions: Int
        package var description: String {
            "features.replicas is \(replicas), but the streams have \(partitions) partitions: at most \(partitions) processes can share them"
        }
    }

    /// - Parameters:
    ///   - compiled: The views of each stream; their topics exist.
    ///   - rebuilds: Whether rows of other definitions than the project's are computed again; else they are an error.
    ///   - wall: Milliseconds since the epoch.
    package init(
        compiled: [(stream: StreamDefinition, views: CompiledViews)], projectHash: ContentHash, log: any EventLog, store: ObjectStore,
        settings: FeaturesSettings, rebuilds: Bool = false, logger: Logger, wall: @escaping @Sendable () -> EventTime.Milliseconds,
        instance: String
    ) throws {
        guard settings.replicas <= StreamTopics.partitions else {
            throw TooManyReplicas(replicas: settings.replicas, partitions: StreamTopics.partitions)
        }
        self.logger = logger
        archiveInterval = .milliseconds(settings.archiveInterval)
        features = try StreamFeatures(
            compiled: compiled, projectHash: projectHash, batchRecords: settings.batchRecords, rebuilds: rebuilds, log: log,
            archive: { EventArchive(stream: $0, log: log, store: store) }, logger: logger, wall: wall, instance: instance)
        archives = compiled.flatMap { $0.views.views }.map { view in
            ViewArchive(view: view, log: log, store: store) { place, reason in
                logger.warning(
                    "what is no row is not archived",
                    metadata: ["view": "\(view.definition.name)", "place": "\(place)", "reason": "\(reason)"])
            }
        }
        eventArchives = settings.archiveEvents ? compiled.map { Self.archive(of: $0.stream, log, store, logger) } : []
    }

    private static func archive(
        of stream: StreamDefinition, _ log: any EventLog, _ store: ObjectStore, _ logger: Logger
    ) -> EventArchive {
        EventArchive(stream: stream, log: log, store: store) { partition, offsets in
            let dimensions = [("stream", stream.name), ("partition", "\(partition)")]
            Counter(label: "mlops_features_events_removed_unarchived_total", dimensions: dimensions).increment(by: offsets.count)
            logger.error(
                "events were removed before they were archived: raise the topic's retention",
                metadata: [
                    "topic": "\(stream.topic)", "partition": "\(partition)", "from": "\(offsets.lowerBound)",
                    "to": "\(offsets.upperBound - 1)",
                ])
        }
    }

    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await features.run() }
                group.addTask { try await archiveNowAndThen() }
                while try await group.next() != nil {}
            }
        }
    }

    /// Writes everything that is not archived yet.
    package func archiveAll() async throws {
        for archive in eventArchives {
            let events = try await archive.archive(minRecords: 1)
            if events > 0 {
                logger.info("events archived", metadata: ["stream": "\(archive.stream.name)", "events": "\(events)"])
            }
        }
        for archive in archives {
            let rows = try await archive.archive(minRows: 1)
            if rows > 0 {
                logger.info("rows archived", metadata: ["view": "\(archive.view.definition.name)", "rows": "\(rows)"])
            }
        }
    }

    private func archiveNowAndThen() async throws {
        while !Task.isCancelled {
            do {
                for archive in eventArchives { _ = try await archive.archive(minRecords: Self.archiveMinRows) }
                for archive in archives { _ = try await archive.archive(minRows: Self.archiveMinRows) }
            } catch {
                // Rows wait in the log; a full disk or a store that is away does not stop what is computed.
                guard !Task.isCancelled else { return }
                logger.error("the archive waits", metadata: ["error": "\(error)"])
            }
            do { try await Task.sleep(for: archiveInterval) } catch { return }
        }
    }
}
