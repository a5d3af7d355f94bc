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
}
