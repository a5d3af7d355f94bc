import Features
import Streaming
import Testing

@testable import Project

@Suite struct WindowSectionTests {
    private func window(_ tree: Tree, emit: String? = nil) throws -> ViewDefinition.Window? {
        var project = Tree.small.changing(view: "candles", "window", tree)
        if let emit { project = project.changing(view: "candles", "emit", .text(emit)) }
        return try project.project().views.first { $0.name == "candles" }?.window
    }

    @Test(
        arguments: [
            (["length": "1m"], .init(.tumbling(length: 60_000))),
            (["kind": "tumbling", "length": "1m", "closing": "partition"], .init(.tumbling(length: 60_000), closing: .partition)),
            (["length": "1m", "gaps": "null"], .init(.tumbling(length: 60_000), gaps: .null, maxGap: 86_400_000)),
            (["length": "1m", "gaps": "forward", "max_gap": "2m"], .init(.tumbling(length: 60_000), gaps: .forward, maxGap: 120_000)),
            (["length": "1m", "step": "20s", "grace": "5s"], .init(.hopping(length: 60_000, step: 20_000), grace: 5_000)),
            (["kind": "sliding", "length": "30s", "grace": "5s"], .init(.sliding(length: 30_000), grace: 5_000)),
            (["kind": "session", "gap": "30s"], .init(.session(gap: 30_000))), (["gap": "30s"], .init(.session(gap: 30_000))),
            (["count": "100"], .init(.count(100, step: 100))), (["count": "100", "step": "7"], .init(.count(100, step: 7))),
        ] as [(Tree, ViewDefinition.Window)])
    func `a window is of the kind that its keys say`(tree: Tree, expected: ViewDefinition.Window) throws {
        #expect(try window(tree) == expected)
    }

    @Test(
        arguments: [
            (["length": "1m", "gap": "1s"], "window.length: says nothing about a session window; it takes gap, grace"),
            (["kind": "tumbling", "length": "1m", "step": "1s"], "window.step: says nothing about a tumbling window"),
            (
                ["kind": "sliding", "length": "1m", "closing": "partition"],
                "window.closing: says nothing about a sliding window; it takes length, grace"
            ),
            (["kind": "session", "gap": "1m", "gaps": "forward"], "window.gaps: says nothing about a session window"),
            (["count": "10", "grace": "1s"], "window.grace: says nothing about a count window; it takes count, step"),
            (["kind": "hopping", "length": "1m"], "\"step\" is missing"), (["kind": "sliding"], "\"length\" is missing"),
            (["kind": "sesion", "gap": "1m"], "unknown kind of window \"sesion\"; did you mean \"session\"?"),
            (
                ["length": "1m", "step": "2m"],
                "window.step: a step of 2m is longer than the window of 1m: events in between would be in no window"
            ),
            (["length": "1d", "step": "1s"], "window.step: an event would fall into 86400 windows; at most 1000 are allowed"),
            (["count": "10", "step": "11"], "a step of 11 is more than the window of 10"),
            (["count": "0"], "expected a whole number from 1"),
            (["length": "1m", "max_gap": "1h"], "only says something with gaps: forward or gaps: null"),
            (["length": "1s", "gaps": "null", "max_gap": "30d"], "a gap of 30d would be filled with more than a million rows"),
            (["length": "1m", "closing": "stream"], "unknown way to close windows \"stream\""),
        ] as [(Tree, String)])
    func `what does not go together is refused`(tree: Tree, message: String) throws {
        let errors = try #require(throws: ProjectErrors.self) { try window(tree) }
        #expect(errors.description.contains(message), "\(errors)")
    }

    @Test func `present rows bound how many windows an event may change`() throws {
        #expect(try window(["length": "20s", "step": "1s"], emit: "current") != nil)
        let errors = try #require(throws: ProjectErrors.self) { try window(["length": "21s", "step": "1s"], emit: "current") }
        #expect(errors.description.contains("an event would fall into 21 windows; with emit: current"), "\(errors)")
    }

    @Test func `present rows come from windows, and from views only where the input gives them`() throws {
        let both = Tree.small.changing(view: "candles", "emit", "current").changing(view: "indicators", "emit", "current")
        #expect(try both.project().views.map(\.emit) == [.current, .current])
        let late = try #require(throws: ProjectErrors.self) {
            try Tree.small.changing(view: "indicators", "emit", "current").project()
        }
        #expect(
            late.description.contains("views.indicators.emit: \"candles\" gives final rows only; say emit: current there too"), "\(late)")
        let plain = Tree.small.setting("views", ["plain": ["from": "trades", "emit": "current", "columns": ["x": "price"]]])
        let errors = try #require(throws: ProjectErrors.self) { try plain.project() }
        #expect(errors.description.contains("one final row per event"), "\(errors)")
    }

    @Test func `the plan says what kind of window it is`() throws {
        let tree = Tree.small.changing(view: "candles", "window", ["length": "1m", "step": "20s", "gaps": "null"])
        #expect(ProjectPlan.text(try tree.project()).contains("window 1m every 20s, grace 0ms, gaps as nulls up to 1d"))
        let session = Tree.small.changing(view: "candles", "window", ["gap": "30s"]).changing(view: "candles", "emit", "current")
        #expect(ProjectPlan.text(try session.project()).contains("sessions with gaps up to 30s, grace 0ms, present rows too"))
    }
}

@Suite struct OutlierSectionTests {
    private func project(_ tree: Tree) throws -> ProjectDefinition { try Tree.small.changing(view: "candles", "outliers", tree).project() }

    @Test(
        arguments: [
            (
                ["column": "close", "rule": "mad", "threshold": "12", "action": "quarantine"],
                .init(column: "close", rule: .mad(threshold: 12, period: 100), action: .quarantine)
            ),
            (
                ["column": "n", "rule": "zscore", "threshold": "3.5", "period": "50", "action": "flag"],
                .init(column: "n", rule: .zscore(threshold: 3.5, period: 50), action: .flag)
            ),
            (
                ["column": "close", "rule": "range", "min": "0", "action": "null"],
                .init(column: "close", rule: .range(min: 0, max: nil), action: .null)
            ),
        ] as [(Tree, ViewDefinition.Outliers)])
    func `a rule is what its keys say`(tree: Tree, expected: ViewDefinition.Outliers) throws {
        let project = try project(tree)
        #expect(project.views.first { $0.name == "candles" }?.outliers == expected)
        let topics = ProjectPlan.topics(project).map(\.name)
        #expect(topics.contains("candles.quarantine") == (expected.action == .quarantine))
        #expect(project.schemas["candles"]?.declared.last?.name == (expected.action == .flag ? "n_outlier" : "n"))
    }

    @Test(
        arguments: [
            (
                ["column": "clsoe", "rule": "mad", "threshold": "1", "action": "flag"],
                "the view has no column \"clsoe\"; did you mean \"close\"?"
            ),
            (["column": "side", "rule": "mad", "threshold": "1", "action": "flag"], "\"side\" is string"),
            (["column": "close", "rule": "mad", "action": "flag"], "\"threshold\" is missing"),
            (["column": "close", "rule": "mad", "threshold": "0", "action": "flag"], "expected a number of deviations above 0"),
            (["column": "close", "rule": "mad", "threshold": "1", "min": "1", "action": "flag"], "min and max belong to range"),
            (["column": "close", "rule": "range", "action": "flag"], "a range needs min, max, or both"),
            (["column": "close", "rule": "range", "min": "2", "max": "1", "action": "flag"], "min 2.0 is above max 1.0"),
            (["column": "close", "rule": "range", "max": "1", "period": "9", "action": "flag"], "a range is told by min and max"),
            (
                ["column": "close", "rule": "mda", "threshold": "1", "action": "flag"],
                "unknown outlier rule \"mda\"; did you mean \"mad\"?"
            ),
        ] as [(Tree, String)])
    func `what does not go together is refused`(tree: Tree, message: String) throws {
        let errors = try #require(throws: ProjectErrors.self) { try project(tree) }
        #expect(errors.description.contains(message), "\(errors)")
    }
}
