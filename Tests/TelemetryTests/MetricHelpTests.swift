import CoreMetrics
import Foundation
import Testing

@testable import Telemetry

@Suite struct MetricHelpTests {
    /// Names of metrics in the sources; of those put together, what stands before the part that changes.
    private func labels() throws -> (whole: Set<String>, beginnings: Set<String>) {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../Sources").standardized
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        var whole: Set<String> = [], beginnings: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" && file.lastPathComponent != "MetricHelp.swift" {
            for match in try String(contentsOf: file, encoding: .utf8).matches(of: /label: "(mlops_[a-z_]+)("| \+|\\)/) {
                let name = String(match.1)
                if name.hasSuffix("_") { beginnings.insert(name) } else { whole.insert(name) }
            }
        }
        return (whole, beginnings)
    }

    @Test func `every metric of the sources has a help text, and no text is of a metric that is gone`() throws {
        let (whole, beginnings) = try labels()
        #expect(whole.count > 20 && beginnings.count == 4)
        #expect(whole.filter { MetricHelp.texts[$0] == nil } == [])
        for beginning in beginnings { #expect(MetricHelp.texts.keys.contains { $0.hasPrefix(beginning) }, "\(beginning)") }
        let gone = MetricHelp.texts.keys.filter { name in !whole.contains(name) && !beginnings.contains { name.hasPrefix($0) } }
        #expect(gone == [])
    }

    @Test func `a help text says more than the name, and a described metric keeps its own`() {
        let registry = MetricsRegistry()
        Counter(label: "mlops_features_events_dead_total", factory: registry).increment()
        Counter(label: "mlops_produce_records_total", factory: registry).increment()
        registry.describe("mlops_produce_records_total", "Own words.")
        let text = registry.render()
        #expect(text.contains("# HELP mlops_features_events_dead_total Records of a stream that were refused"))
        #expect(text.contains("# HELP mlops_produce_records_total Own words.\n"))
        for (name, help) in MetricHelp.texts { #expect(help.hasSuffix(".") && !help.contains(name), "\(name)") }
    }
}
