import ArgumentParser
import EventLog
import FeatureRole
import FeatureStore
import Features
import Project
import Settings

/// Whether what was stored and served is what the events give.
struct FeaturesParity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parity",
        abstract: "Compute every row again from its events, and compare with what was stored and served, bit by bit.",
        discussion: """
            Compares each view's topic and its latest rows, and the values that predictions were made from. Ends with status 2 and names \
            the first difference. May run beside the roles; events that come meanwhile are left for the next time.
            """)

    @OptionGroup var options: RunOptions

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, _) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            var report = Parity.Report()
            for (stream, views) in session.project.compiled where !views.views.isEmpty {
                var served = try await noted(session, views)
                let archive = EventArchive(stream: stream, log: session.log, store: session.store)
                let parity = Parity(stream: stream, views: views, log: session.log, archive: archive, logger: session.logger(.features))
                do {
                    try await parity.check(&served, &report)
                } catch let difference as Parity.Difference {
                    print(text(report))
                    throw Failure(.refused, "not equal: \(difference)")
                }
            }
            print(text(report))
        }
    }

    /// The predictions that were made from one of the views; noted first, so that their rows are among those looked at.
    private func noted(_ session: Session, _ views: CompiledViews) async throws -> ServedValues? {
        guard let serving = session.project.serving, let view = views.views.first(where: { $0.definition.name == serving.featuresFrom })
        else {
            return nil
        }
        var served = ServedValues(view: view)
        try await served.read(Topics.predictions(session.project), of: session.log)
        return served
    }

    private func text(_ report: Parity.Report) -> String {
        var lines = ["\(report.events) records of streams"]
        for (view, rows) in report.rows.sorted(by: { $0.key < $1.key }) {
            lines.append("\(view): \(rows) rows equal, \(report.latest[view] ?? 0) latest rows equal")
        }
        if report.predictions + report.uncheckedPredictions > 0 {
            lines.append(
                "predictions: values of \(report.predictions) equal, \(report.uncheckedPredictions) came with their features or without them"
            )
        }
        return lines.joined(separator: "\n")
    }
}
