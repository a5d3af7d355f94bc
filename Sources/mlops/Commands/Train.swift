import ArgumentParser
import Foundation
import Learning
import ServiceLifecycle
import Settings
import Synchronization
import TrainRole

/// One training run.
struct Train: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train once: search candidates, judge the best against baselines and champion, register, promote if better.")

    @OptionGroup var options: RunOptions

    @Option(help: "What a refused promotion means for the exit status: fail (2) or ok (0).")
    var refusal: String?

    @Option(help: "Trials of the search, instead of the budget's.")
    var trials: String?

    @Option(help: "Seconds for the search, instead of the budget's.")
    var seconds: String?

    @Option(help: "Seed of the search, instead of the budget's.")
    var seed: String?

    func run() async throws {
        try await ExitStatus.mapped {
            let flags = [
                ("train.refusal", "--refusal", refusal), ("train.trials", "--trials", trials), ("train.seconds", "--seconds", seconds),
                ("train.seed", "--seed", seed),
            ].compactMap { key, name, value in value.map { SettingsFlag(key, name: name, $0) } }
            let (session, settings) = try await Session.open(.train, options, flags: flags) { reader, _ in try TrainSettings(reader: reader)
            }
            let tracker = try await Tracker.find(session)
            let promoted = Mutex(true)
            let task = OneShot {
                let result = try await session.trainRole(settings, try await tracker.client()).run()
                print(Outcome.text(result))
                promoted.withLock { $0 = result.verdict.isPromoted }
            }
            try await RoleRunner(session).run(task, before: tracker.services, isService: false)
            if settings.refusal == .fail, !promoted.withLock({ $0 }) { throw ExitStatus.refused.code }
        }
    }
}

/// What a training run came to, in words.
enum Outcome {
    static func text(_ result: TrainRole.Result) -> String {
        let verdict = result.verdict
        var lines = ["\(result.version) \(verdict.sentence)"]
        for comparison in verdict.comparisons {
            lines.append(
                "  against \(comparison.rival): \(verdict.metric) \(number(verdict.score)) vs \(number(comparison.score)), "
                    + "improvement \(number(comparison.improvement)) [\(number(comparison.lower)), \(number(comparison.upper))]")
        }
        if let baseline = result.baseline { lines.append("  baseline: \(baseline)") }
        lines.append("  run: \(result.run)")
        return lines.joined(separator: "\n")
    }

    private static func number(_ value: Double) -> String { String(format: "%.6g", value) }
}
