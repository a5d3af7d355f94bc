import Domain
import FeatureRole
import FeatureStore
import Features
import Foundation
import Learning
import MonitorRole
import Project
import ServeRole
import Settings
import Telemetry
import Tracking
import TrainRole

extension Session {
    /// All compiled views, of all streams.
    var views: [CompiledView] { project.compiled.flatMap(\.views.views) }

    var offlineStore: OfflineStore { OfflineStore(log: log, store: store, views: views) }

    /// - Parameter rebuilds: Whether rows of other definitions are computed again.
    func featureRole(_ settings: FeaturesSettings, rebuilds: Bool = false) throws -> FeatureRole {
        try FeatureRole(
            compiled: project.compiled, projectHash: project.hash, log: log, store: store, settings: settings, rebuilds: rebuilds,
            logger: logger(.features), wall: wall, instance: role.rawValue)
    }

    /// - Parameter latest: Later rows are not trained on; `nil` for all there are.
    func trainRole(
        _ settings: TrainSettings, _ client: TrackingClient, notAfter latest: EventTime.Milliseconds? = nil
    ) throws -> TrainRole {
        try TrainRole(
            project: project, version: Version.text, settings: settings,
            history: OfflineStore(log: log, store: store, views: views, notAfter: latest),
            tracking: client, logger: logger(.train), wall: wall)
    }

    /// - Parameter wall: The time that requests and feature ages go by; the clock's unless a replay has its own.
    func serveRole(
        _ settings: ServeSettings, client: TrackingClient, wall: (@Sendable () -> EventTime.Milliseconds)? = nil
    ) throws -> ServeRole {
        guard let serving = project.serving else { throw Failure(.badSettings, "the project has no serving:") }
        var configuration = ServeRole.Configuration()
        configuration.host = self.settings.host
        configuration.port = settings.port.number
        configuration.poll = .milliseconds(settings.poll)
        configuration.predictionsTopic = Topics.predictions(project)
        configuration.registryTopic = Topics.registryEvents(project)
        configuration.instance = role.rawValue
        let view = views.first { $0.definition.name == serving.featuresFrom }
        return ServeRole(
            configuration, serving: serving, view: view, definitionHashes: definitionHashes(of: serving.featuresFrom ?? ""),
            source: .registry(client, horizon: project.training?.horizon ?? 0), log: log, metrics: Telemetry.metrics, readiness: readiness,
            logger: logger(.serve), wall: wall ?? self.wall)
    }

    /// What the columns of a view mean now.
    private func definitionHashes(of view: String) -> [String: ContentHash] {
        views.first { $0.definition.name == view }?.hashes ?? [:]
    }

    /// - Parameter port: `nil` serves no page.
    func monitorRole(port: Int?, client: TrackingClient) throws -> MonitorRole {
        guard let monitoring = project.monitoring else { throw Failure(.badSettings, "the project has no monitoring:") }
        var configuration = MonitorRole.Configuration()
        configuration.host = settings.host
        configuration.port = port
        configuration.reportPath = reportPath
        let baselines = project.training?.baselines.compactMap { baseline in
            if case .current(let column) = baseline { column } else { nil }
        }
        let engine = MonitorEngine.Settings(
            model: project.serving?.models.first?.name ?? project.training?.model ?? "", windows: monitoring.windows,
            labelColumn: monitoring.labels?.value ?? "", labelWait: monitoring.labels?.wait ?? 0, drift: monitoring.drift,
            baseline: baselines?.first)
        let plan = MonitorWorker.Plan(
            predictionsTopic: Topics.predictions(project), labelView: views.first { $0.definition.name == monitoring.labels?.view },
            featureView: views.first { $0.definition.name == project.serving?.featuresFrom }, instance: role.rawValue)
        return MonitorRole(
            configuration, settings: engine, plan: plan, log: log, reference: DriftReference.registry(client), metrics: Telemetry.metrics,
            readiness: readiness, logger: logger(.monitor), wall: wall)
    }

    /// Where the monitor writes its page.
    var reportPath: String { settings.dataDirectory + "/reports/monitor.html" }
}
