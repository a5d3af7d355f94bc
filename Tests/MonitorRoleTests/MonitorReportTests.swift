import Domain
import Foundation
import Project
import Table
import Testing

@testable import MonitorRole

@Suite struct MonitorReportTests {
    private static let hour = MonitorEngineTests.hour

    private func settings(length: Int64 = MonitorEngineTests.hour, baseline: String? = "price") -> MonitorEngine.Settings {
        var settings = MonitorEngineTests.settings(minRows: 2, baseline: baseline)
        settings.windows = .init(length: length, minRows: 2)
        return settings
    }

    /// Ten predictions of a version, of which the first are labelled and the others known to have no label.
    private func add(_ version: String, labelled: Int, from hour: Int64, to engine: inout MonitorEngine) throws {
        for step in 0..<10 {
            let time = hour * Self.hour + Int64(step) * 60_000, entity = "\(version)-\(step)"
            engine.take(try MonitorEngineTests.prediction(entity, at: time, version: version))
            if labelled >= 0 {
                engine.take(label: step < labelled ? 11 : nil, entity: try EntityKey([.string(entity)]), at: time + 600_000)
            }
        }
    }

    private func chart(_ title: String, in html: String) -> Substring {
        html.components(between: "<figcaption>\(title)", and: "</figure>")
    }

    @Test func `the baseline keeps its line when the newest version has no labels yet`() throws {
        var engine = MonitorEngine(settings())
        try add("1", labelled: 10, from: 0, to: &engine)
        try add("1", labelled: 10, from: 1, to: &engine)
        try add("2", labelled: -1, from: 2, to: &engine)
        let errors = chart("Mean absolute error by window", in: MonitorReport(engine).html())
        #expect(errors.contains("baseline: 2 at"), "\(errors)")
        #expect(errors.contains(">version 1</span>") && !errors.contains(">version 2</span>"))
        #expect(chart("Predictions by window", in: MonitorReport(engine).html()).contains(">version 2</span>"))
    }

    @Test func `shares stand over an axis from 0 to 1, counts over one from 0`() throws {
        var engine = MonitorEngine(settings())
        for hour in 0..<3 { try add("1", labelled: 10, from: Int64(hour), to: &engine) }
        let html = MonitorReport(engine).html()
        let coverage = chart("Label coverage by window", in: html)
        #expect(coverage.contains(">0</text>") && coverage.contains(">1</text>") && !coverage.contains(">1.1</text>"))
        #expect(chart("Predictions by window", in: html).contains(">0</text>"))
    }

    @Test(arguments: [(4, true), (5, false), (10, false)]) func `errors of a minority of the predictions say so`(
        labelled: Int, isTold: Bool
    ) throws {
        var engine = MonitorEngine(settings())
        try add("1", labelled: labelled, from: 0, to: &engine)
        let report = MonitorReport(engine), words = "over 40 % of the predictions"
        #expect(report.summary.contains("RMSE 1 (\(words)") == isTold, "\(report.summary)")
        #expect(report.html().contains("The errors of version 1 are means \(words)") == isTold)
    }

    @Test(
        arguments: [
            (nil, "training.baselines holds no current(column)"),
            ("volume", "volume is neither an input of the model nor the column of the labels"),
            ("price", nil),
        ] as [(String?, String?)])
    func `a version without a baseline's errors says why`(baseline: String?, reason: String?) throws {
        var engine = MonitorEngine(settings(baseline: baseline))
        try add("1", labelled: 10, from: 0, to: &engine)
        let html = MonitorReport(engine).html()
        #expect(html.contains("Version 1 has no baseline") == (reason != nil))
        if let reason { #expect(html.contains(reason)) }
    }

    @Test(arguments: [(86_400_000, "1 day"), (5_400_000, "90 minutes"), (7_200_000, "2 hours"), (1_000, "1 second"), (1_500, "1500 ms")])
    func `a length of time is told in its largest whole unit`(length: Int64, text: String) {
        #expect(MonitorReport.time(length) == text)
    }

    @Test func `bins of whole numbers hold equally many of them`() {
        for count in [1, 2, 7, 24, 25, 100, 1_000] {
            let values = (0..<3_000).map { Double($0 % count) + 5 }
            let edges = MonitorReport.edges(values), width = edges[1] - edges[0]
            #expect(edges[0] == 4.5 && (edges.last ?? 0) >= Double(count) + 4.5)
            #expect(width == width.rounded() && zip(edges, edges.dropFirst()).allSatisfy { $1 - $0 == width })
            #expect(edges.count <= 15)
        }
        #expect(MonitorReport.edges([0.5, 1, 7]).count > 2)
        #expect(MonitorReport.edges([]).isEmpty)
    }

    @Test func `categories are bars with their names, the rare ones together, and the columns of quality say what they are of`() throws {
        var engine = MonitorEngine(settings())
        let names = (0..<300).map { "kind \($0 % 30 < 15 ? 0 : $0 % 30)" }
        engine.references["1"] = DriftReference(
            try .init([.init("kind", strings: names), .init("count", doubles: (0..<300).map { Double($0 % 9) })]))
        for step in 0..<300 {
            engine.take(
                try MonitorEngineTests.prediction(
                    "e\(step)", at: Int64(step), features: [("kind", .string(names[step])), ("count", .int(Int64(step % 9)))]))
        }
        let html = MonitorReport(engine).html(), kinds = chart("kind", in: html)
        #expect(
            kinds.contains("<title>kind 0, training: 0.5</title>") && kinds.contains("<title>5 others, now: 0.16667</title>"), "\(kinds)")
        #expect(!kinds.contains("<path"))
        for column in ["Mean, training", "Mean, now", "Greatest, training", "Greatest, now"] {
            #expect(html.contains("<th scope=\"col\" class=\"number\">\(column)</th>"))
        }
    }
}

extension String {
    /// What stands between two texts; empty when the first is not there.
    fileprivate func components(between start: String, and end: String) -> Substring {
        guard let from = range(of: start)?.upperBound else { return "" }
        return self[from...].range(of: end).map { self[from..<$0.lowerBound] } ?? self[from...]
    }
}
