import Foundation
import Project
import Testing

@testable import Settings

struct ExampleTests {
    /// The folder `examples/` of the repository.
    static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "examples").path

    @Test func `the crypto example is a sound project`() throws {
        let project = try ProjectFile.load(path: Self.examples + "/crypto")
        #expect(project.name == "crypto")
        #expect(project.directory == Self.examples + "/crypto")
        let plan = ProjectPlan.text(project)
        #expect(plan.contains("\nview indicators: from candles, one row per row, topic technical_indicators\n"))
        #expect(plan.contains("\n  target     price_in_10_minutes, 10m ahead\n"))
        #expect(
            plan.contains(
                "14: current_price, sma_7, sma_14, ema_7, ema_14, rsi_14, macd, macd_signal, macd_hist, obv, "
                    + "volume_last_10_minutes, moving_average_last_10_minutes, return_1, return_5\n"))
    }

    @Test func `every example folder holds a sound project`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.examples).sorted()
        let projects = folders.filter { FileManager.default.fileExists(atPath: "\(Self.examples)/\($0)/\(ProjectFile.name)") }
        #expect(projects.contains("crypto"))
        for folder in projects { #expect(throws: Never.self) { try ProjectFile.load(path: "\(Self.examples)/\(folder)") } }
    }

    @Test func `of a file that uses everything that is planned only the parts that do not exist yet are refused`() throws {
        let example = try String(contentsOfFile: Self.examples + "/crypto/mlops.yaml", encoding: .utf8)
        let planned = [
            ("\ntraining:\n", "    outliers: {column: return_1, rule: mad, threshold: 12, action: quarantine}\n\ntraining:\n"),
            ("    - {kind: xgboost", "    - {kind: huber, search: {epsilon: log(1.01, 5), alpha: log(1e-6, 1)}}\n    - {kind: xgboost"),
            ("  model: crypto-price-10m\n", "  model: crypto-price-10m\n  schedule: \"0 */3 * * *\"\n"),
            (
                "\nsettings:",
                "  alerts:\n    - {name: drift, when: \"drifted_share > 0.5\", for: 2}\n  retrain: {cooldown: 1h, max_per_day: 4}\n\nsettings:"
            ),
        ]
        var text = example
        for (place, addition) in planned {
            let range = try #require(text.firstRange(of: place))
            text.replaceSubrange(range, with: addition)
        }
        let problems = try ProjectText.problems(text).map { String($0.split(separator: ": ", maxSplits: 1)[1]) }
        #expect(
            problems == [
                #"training.candidates[1].kind: unknown kind of model "huber"; known: ridge, xgboost"#,
                #"training: "schedule" is not supported yet; known: "# + TrainingKeys.text,
                #"monitoring: "alerts" is not supported yet; known: drift, labels, windows"#,
                #"monitoring: "retrain" is not supported yet; known: drift, labels, windows"#,
            ])
    }
}

private enum TrainingKeys {
    static let text =
        "baselines, budget, candidates, exclude, features, gate, metric, missing, model, split, target, task, view"
}
