import Learning
import Statistics
import Testing
import Tracking

@testable import TrainRole

struct TrainingLogTests {
    @Test(arguments: [
        ("current(close)", "current_close"), ("mean", "mean"), ("champion v3", "champion_v3"), ("((a))", "a"), ("p/q µ", "p_q"),
    ])
    func `a rival's name becomes a key the protocol allows`(name: String, key: String) {
        #expect(TrainingLog.key(name) == key)
    }

    @Test func `a run records its setting, its scores and where its rows went`() throws {
        let outcome = try Examples.outcome()
        let log = TrainingLog(definition: Examples.definition(), outcome: outcome, time: 5)
        #expect(
            log.params.contains { $0 == ("candidate", "ridge") }
                && log.params.contains { $0 == ("alpha", "\(outcome.best.parameters[0].value)") })
        #expect(Set(log.params.map(\.0)).count == log.params.count)
        func metric(_ key: String) -> Double? { log.metrics.first { $0.key == key }?.value }
        #expect(metric("test_mae") == outcome.errors.mae)
        #expect(metric("baseline_current_close_mae") == outcome.baselines[0].errors.mae)
        #expect(metric("improvement_lower_over_mean") == outcome.verdict.comparisons[1].lower)
        #expect(metric("rows_training") == Double(outcome.trainingRows))
        #expect(log.metrics.filter { $0.key == "trial_mae" }.map(\.step) == [0, 1])
        #expect(log.tags.contains { $0 == ("mlops.gate", outcome.verdict.isPromoted ? "promoted" : "refused") })
    }
}

struct TrainingReportTests {
    @Test func `the report stands alone, says the verdict and escapes names`() throws {
        let outcome = try Examples.outcome()
        let html = TrainingReport(definition: Examples.definition(model: "<price>"), outcome: outcome, run: "abc").html
        #expect(html.contains("&lt;price&gt;") && !html.contains("<price>"))
        #expect(html.contains(outcome.verdict.sentence.prefix(20)))
        #expect(html.contains("<svg"))
        #expect(!html.contains("src=\"http") && !html.contains("href=\"http"))
        #expect(html.utf8.count < 500_000)
    }
}
