import Domain
import Features
import Testing

@testable import Project

@Suite struct JoinSectionTests {
    private static let pairs = "pair,base,tick\nBTC/USD,BTC,0.5\n"

    private func project(
        lookup: Tree? = nil, join: Tree? = nil, columns: Tree = ["x": "price"], table: Tree? = nil, text: String = pairs, extra: Tree? = nil
    ) throws -> ProjectDefinition {
        let pairs: Tree =
            table ?? ["path": "pairs.csv", "key": "pair", "fields": ["pair": "string", "base": "string", "tick": "double?"]]
        var view: Tree = ["from": "trades", "columns": columns]
        if let lookup { view = view.setting("lookup", lookup) }
        if let join { view = view.setting("join", join) }
        var tree = Tree.small.setting("tables", ["pairs": pairs])
        tree = tree.setting("views", tree.views.setting("wide", view))
        if let extra { tree = tree.setting("streams", tree.streams.setting("rates", extra)) }
        return try ProjectDefinition(
            validating: tree.node, file: "mlops.yaml", directory: "/project", files: ["pairs.csv": .text(text)])
    }

    @Test func `columns of a table and of another view have its name before theirs`() throws {
        let project = try project(
            lookup: ["table": "pairs", "on": "pair"], join: ["view": "candles", "on": "pair", "within": "1h"],
            columns: ["base": "pairs_base", "ticks": "price / pairs_tick", "move": "price - candles_close"])
        #expect(project.schemas["wide"]?.declared.map(\.type) == [.string, .double, .double])
        let wide = try #require(project.views.first { $0.name == "wide" })
        #expect(wide.lookups.map(\.table.name) == ["pairs"] && wide.joins == [.init(view: "candles", within: 3_600_000)])
        #expect(project.views.map(\.name).firstIndex(of: "wide") ?? 0 > project.views.map(\.name).firstIndex(of: "candles") ?? 9)
        let plan = ProjectPlan.text(project)
        #expect(plan.contains("looks up pairs by pair\n") && plan.contains("joins the newest row of candles, up to 1h old\n"))
    }

    @Test func `several tables and views are a list`() throws {
        let project = try project(
            join: [["view": "candles", "on": "pair", "within": "1h"], ["view": "indicators", "on": "pair", "within": "2h"]],
            columns: ["x": "indicators_now - candles_close"])
        #expect(project.views.first { $0.name == "wide" }?.joins.map(\.view) == ["candles", "indicators"])
    }

    @Test func `the file that is looked up is named, and its content is part of the project's hash`() throws {
        let tree: Tree = ["tables": ["a": ["path": "a.csv", "fields": ["x": "int"]], "b": ["path": "b.csv", "time": "t"]]]
        #expect(ProjectDefinition.filesNamed(in: tree.node) == ["a.csv"])
        let lookup: Tree = ["table": "pairs", "on": "pair"]
        let other = try project(lookup: lookup, text: Self.pairs + "ETH/USD,ETH,0.1\n")
        #expect(try project(lookup: lookup).hash != other.hash)
    }

    @Test(
        arguments: [
            (["table": "pair", "on": "pair"], "there is no table \"pair\"; did you mean \"pairs\"?"),
            (["table": "pairs", "on": "side2"], "the input has no column \"side2\"; did you mean \"side\"?"),
            (["table": "pairs", "on": "price"], "\"price\" is double, and the key \"pair\" of the table is string"),
            (["table": "pairs", "on": ["pair", "side"]], "on: names 2 columns, and the key of \"pairs\" is pair"),
            (["table": "pairs"], "\"on\" is missing"),
        ] as [(Tree, String)])
    func `a lookup that cannot be is refused`(lookup: Tree, message: String) throws {
        let errors = try #require(throws: ProjectErrors.self) { try project(lookup: lookup, columns: ["x": "pairs_base"]) }
        #expect(errors.description.contains(message), "\(errors)")
        #expect(errors.errors.count == 1, "\(errors)")
    }

    @Test(
        arguments: [
            (["view": "candels", "on": "pair", "within": "1h"], "there is no view \"candels\"; did you mean \"candles\"?"),
            (["view": "candles", "on": "side", "within": "1h"], "on: must be the key of both views, pair"),
            (["view": "candles", "on": "pair"], "\"within\" is missing"),
            (["view": "wide", "on": "pair", "within": "1h"], "views cannot join each other in a circle"),
        ] as [(Tree, String)])
    func `a join that cannot be is refused`(join: Tree, message: String) throws {
        let errors = try #require(throws: ProjectErrors.self) { try project(join: join) }
        #expect(errors.description.contains(message), "\(errors)")
        #expect(errors.errors.count == 1, "\(errors)")
    }

    /// Two streams, a view of each, and a third that joins.
    private func twoStreams(_ rates: Tree, on: Tree = "pair", join: Tree? = nil, more: [(String, Tree)] = []) -> Tree {
        var tree = Tree.small.setting("streams", Tree.small.streams.setting("rates", rates))
        var views = tree.views.setting("rate", ["from": "rates", "columns": ["r": "at"]])
        for (name, view) in more { views = views.setting(name, view) }
        let join = join ?? ["view": "rate", "on": on, "within": "1h"]
        views = views.setting("wide", ["from": "trades", "join": join, "columns": ["x": "rate_r"]])
        tree = tree.setting("views", views)
        return tree
    }

    @Test func `views of two streams with one key are joined`() throws {
        let project = try twoStreams(["key": "pair", "time": "at", "fields": ["pair": "string", "at": "int"]]).project()
        let trades = try #require(project.compiled.first { $0.stream.name == "trades" }).views
        #expect(trades.others.map(\.stream.name) == ["rates"] && trades.others.first?.views.views.map(\.definition.name) == ["rate"])
        #expect(trades.joined.last == [.other(stream: 0, view: 0)])
        #expect(project.compiled.first { $0.stream.name == "rates" }?.views.others.isEmpty == true)
    }

    @Test func `views of two streams need the same key`() throws {
        let rates: Tree = ["key": "pair", "time": "at", "fields": ["pair": "int", "at": "int"]]
        let errors = try #require(throws: ProjectErrors.self) { try twoStreams(rates).project() }
        #expect(errors.description.contains("has the key pair (int) and this view pair (string)"), "\(errors)")
        #expect(errors.errors.count == 1, "\(errors)")
    }

    @Test(
        arguments: [
            (
                ["path": "pairs.csv", "key": "pair", "fields": ["pair": "string", "tik": "double"]],
                "there is no column \"tik\"; did you mean \"tick\"?"
            ),
            (["path": "pairs.csv", "fields": ["pair": "string"]], "\"key\" is missing"),
            (["path": "pairs.parquet", "key": "pair", "fields": ["pair": "string"]], "is a .csv, .jsonl or .ndjson file"),
            (["path": "other.csv", "key": "pair", "fields": ["pair": "string"]], "other.csv was not read"),
        ] as [(Tree, String)])
    func `a table that cannot be looked up is refused`(table: Tree, message: String) throws {
        let errors = try #require(throws: ProjectErrors.self) { try project(table: table) }
        #expect(errors.description.contains(message), "\(errors)")
    }
}
