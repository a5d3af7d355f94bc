import Domain
import Expressions
import Features
import Learning
import Testing

@testable import Project

struct ProjectDefinitionTests {
    @Test func `views come after what they read, whatever their order in the file`() throws {
        let project = try Tree.small.project()
        #expect(project.views.map(\.name) == ["candles", "indicators"])
        #expect(project.views.map(\.from) == [.stream("trades"), .view("candles")])
    }

    @Test func `the columns of each view are known by name and type`() throws {
        let project = try Tree.small.project()
        let indicators = try #require(project.schemas["indicators"])
        #expect(indicators.key.map(\.name) == ["pair"])
        #expect(indicators.declared.map(\.name) == ["now", "macd", "macd_signal", "macd_hist", "last_side"])
        #expect(indicators.declared.map(\.type) == [.double, .double, .double, .double, .string])
        #expect(indicators.metadata == .window)
        #expect(project.schemas["candles"]?.declared.map(\.type) == [.double, .string, .int])
    }

    @Test func `the views of a stream are ready to run`() throws {
        let compiled = try Tree.small.project().compiled
        #expect(compiled.map(\.stream.name) == ["trades"])
        #expect(compiled[0].views.views.map(\.definition.name) == ["candles", "indicators"])
        #expect(compiled[0].views.upstream == [nil, 0])
    }

    @Test func `what is not said has its default`() throws {
        let project = try Tree.small.setting("training", .training).setting("monitoring", [:])
            .setting("serving", ["models": [["name": "small-10m"]]]).project()
        #expect(project.streams[0].topic == "trades" && project.views.map(\.topic) == ["candles", "indicators"])
        #expect(project.streams[0].dedupe == nil && project.streams[0].require.isEmpty)
        #expect(project.views[0].window == .init(length: 60_000, grace: 0, gaps: .none, maxGap: 0))
        let training = try #require(project.training)
        #expect(training.task == .regression && training.metric == .mae && training.baselines == [.mean])
        #expect(training.missing == .init(numeric: .median, categorical: "UNKNOWN", rejectRowsAbove: 0.01))
        #expect(training.split == .init(kind: .time, test: 0.2, folds: 3))
        #expect(training.budget == .init(trials: 30, seconds: 120, seed: 1))
        #expect(
            training.gate == .init(minImprovement: 0, confidence: 0.95, minTestRows: 200, maxLatencyMicroseconds: nil, slices: []))
        #expect(training.candidates[0].search == [.init(name: "alpha", scale: .log, lower: 1e-4, upper: 100)])
        #expect(training.candidates[1].search.map(\.name) == ["max_depth", "eta", "rounds"])
        #expect(project.serving?.models == [.init(name: "small-10m", alias: "champion")])
        #expect(project.serving?.stream == false)
        #expect(project.monitoring?.windows == .init(length: 3_600_000, minRows: 100))
        #expect(project.monitoring?.drift == .init(method: .auto, share: 0.5))
    }

    @Test func `a ridge may count its errors relative to a column, with a range of its own`() throws {
        let tree = Tree.training.setting("candidates", [["kind": "ridge", "relative_to": "now"], ["kind": "ridge"]])
        let project = try Tree.small.setting("training", tree).setting("serving", ["models": [["name": "small-10m"]]]).project()
        let candidates = try #require(project.training?.candidates)
        #expect(candidates.map(\.relativeTo) == ["now", nil])
        #expect(candidates[0].search == [.init(name: "alpha", scale: .log, lower: 1e-6, upper: 1)])
        #expect(ProjectPlan.text(project).contains("  candidate  ridge relative to now, alpha log(1e-06, 1)\n"))
    }

    @Test func `features are the numbers and texts of the view, without key, metadata, exclusions and target`() throws {
        let plain = try Tree.small.setting("training", .training).project()
        #expect(plain.training?.features == ["now", "macd", "macd_signal", "macd_hist", "last_side"])
        let excluded = Tree.training.setting("exclude", ["macd_hist", "window_start_ms"]).setting("target", "now")
        let project = try Tree.small.setting("training", excluded).project()
        #expect(project.training?.features == ["macd", "macd_signal", "last_side"])
        #expect(project.training?.targetName == "now")
        #expect(project.training?.horizon == 0)
    }

    @Test func `a key column is an input when it is listed`() throws {
        let listed = Tree.training.setting("features", ["pair", "now"])
        #expect(try Tree.small.setting("training", listed).project().training?.features == ["pair", "now"])
    }

    @Test func `the target's horizon is how far it looks ahead`() throws {
        let project = try Tree.small.setting("training", .training).project()
        #expect(project.target?.name == "later")
        #expect(project.training?.horizon == 600_000)
    }

    @Test func `the prefix stands before every topic`() throws {
        let view: Tree = ["from": "trades", "topic": "other", "columns": ["x": "price"]]
        guard case .map(let views) = Tree.small.views else { return }
        let tree = Tree.small.setting("views", Tree.map(views + [("extra", view)])).setting("settings", ["topic_prefix": "demo."])
        let project = try tree.project()
        #expect(project.topicPrefix == "demo.")
        #expect(project.streams[0].topic == "demo.trades")
        #expect(Set(project.views.map(\.topic)) == ["demo.candles", "demo.indicators", "demo.other"])
        #expect(try tree.project(topicPrefix: "").streams[0].topic == "trades")
    }

    @Test func `settings are flattened to dotted keys with their places`() throws {
        let settings: Tree = ["topic_prefix": "p.", "serve": ["port": "8600"], "produce": ["sources": ["a", "b"]]]
        let project = try Tree.small.setting("settings", settings).project()
        #expect(project.settings == ["serve.port": "8600", "produce.sources": "a,b"])
        #expect(Set(project.settingPlaces.keys) == ["serve.port", "produce.sources"])
        #expect(project.settingPlaces["serve.port"]?.hasPrefix("mlops.yaml:") == true)
    }

    @Test func `a requirement is a condition on its field`() throws {
        guard case .map(let streams) = Tree.small.streams, case .map = streams[0].1 else { return }
        let trades = streams[0].1.setting("require", ["price": "> 0 and price < 1e6"])
        let project = try Tree.small.setting("streams", ["trades": trades]).project()
        #expect(project.streams[0].require.map(\.text) == ["> 0 and price < 1e6"])
        #expect(project.streams[0].require[0].condition == (try Expression.parse("price > 0 and price < 1e6")))
    }

    @Test func `constants take the type of their field`() throws {
        let source: Tree = [
            "kind": "file", "path": "x.csv", "stream": "trades", "set": ["pair": "1", "price": "1", "count": "1", "at": "5"],
        ]
        let project = try Tree.small.setting("sources", ["x": source]).project()
        #expect(project.sources[0].set.map(\.value) == [.string("1"), .double(1), .int(1), .int(5)])
    }
}

struct ProjectHashTests {
    @Test func `spacing, topics, sources and training leave the hash alone`() throws {
        let hash = try Tree.small.project().hash
        #expect(try Tree.small.setting("project", "other").setting("training", .training).project().hash == hash)
        #expect(try Tree.small.setting("settings", ["topic_prefix": "p."]).project().hash == hash)
        #expect(try Tree.small.with(view: "candles", column: "close", "last( price )").project().hash == hash)
    }

    @Test func `another expression, window, filter or rule changes the hash`() throws {
        let hash = try Tree.small.project().hash
        var changed: [Tree] = [Tree.small.with(view: "candles", column: "close", "first(price)")]
        changed.append(Tree.small.changing(view: "candles", "window", ["length": "61s"]))
        changed.append(Tree.small.changing(view: "candles", "where", "n > 1"))
        changed.append(Tree.small.changing(stream: "trades", "require", ["price": "> 0"]))
        changed.append(Tree.small.changing(stream: "trades", "dedupe", ["field": "count"]))
        for tree in changed { #expect(try tree.project().hash != hash) }
    }
}

extension Tree {
    subscript(key: String) -> Tree {
        guard case .map(let entries) = self else { return .map([]) }
        return entries.first { $0.0 == key }?.1 ?? .map([])
    }

    var views: Tree { self["views"] }
    var streams: Tree { self["streams"] }

    func changing(view: String, _ key: String, _ value: Tree) -> Tree {
        setting("views", views.setting(view, views[view].setting(key, value)))
    }

    func changing(stream: String, _ key: String, _ value: Tree) -> Tree {
        setting("streams", streams.setting(stream, streams[stream].setting(key, value)))
    }

    func with(view: String, column: String, _ expression: Tree) -> Tree {
        changing(view: view, "columns", views[view]["columns"].setting(column, expression))
    }
}
