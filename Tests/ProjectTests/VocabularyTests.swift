import Domain
import Expressions
import Features
import Testing

@testable import Project

@Suite struct VocabularyTests {
    private static let clothes: Tree = [
        "project": "clothes", "vocabularies": ["side": ["synonyms": "sides.csv", "unknown": "OTHER"]],
        "streams": ["trades": ["key": "pair", "time": "at", "fields": ["pair": "string", "side": "string?", "at": "int"]]],
        "views": ["sides": ["from": "trades", "columns": ["kind": "canonical(side)", "plain": "lower(side)"]]],
    ]

    private static func project(_ text: String, _ tree: Tree = clothes) throws -> ProjectDefinition {
        try tree.project(files: ["sides.csv": .text(text)])
    }

    private static func messages(_ tree: Tree, _ files: [String: NamedFile]) -> [String] {
        do {
            _ = try tree.project(files: files)
            return []
        } catch { return (error as? ProjectErrors)?.errors.map(\.description) ?? ["another error"] }
    }

    @Test func `the files that decide what a project means are listed`() {
        #expect(ProjectDefinition.filesNamed(in: Self.clothes.node) == ["sides.csv"])
        #expect(ProjectDefinition.filesNamed(in: Tree.small.node).isEmpty)
        let odd: Tree = ["vocabularies": ["a": "text", "b": ["synonyms": ["x"]], "c": ["synonyms": ""]]]
        #expect(ProjectDefinition.filesNamed(in: odd.node).isEmpty)
    }

    @Test func `the content of a vocabulary is part of what a column means, and of no other column`() throws {
        let first = try Self.project("BUY, bid"), same = try Self.project("# sides\nBUY,bid"), other = try Self.project("BUY, bid, long")
        func hashes(_ project: ProjectDefinition) -> [String: ContentHash] {
            project.compiled[0].views.hashes["sides"] ?? [:]
        }
        #expect(hashes(first) == hashes(same) && first.hash == same.hash)
        #expect(hashes(first)["kind"] != hashes(other)["kind"] && first.hash != other.hash)
        #expect(hashes(first)["plain"] == hashes(other)["plain"])
        #expect(first.views[0].columns[0].expression.normalised == "canonical(side, \"side\")")
    }

    @Test func `what is wrong with a vocabulary is told once, with its place`() {
        let tree = Self.clothes
        #expect(
            Self.messages(tree, ["sides.csv": .text("BUY, bid\nSELL, bid")]) == [
                "mlops.yaml:5:1: vocabularies.side.synonyms: sides.csv, line 2: \"BID\" belongs to SELL here and to BUY on line 1"
            ])
        #expect(
            Self.messages(tree, ["sides.csv": .unreadable(reason: "there is no such file")]) == [
                "mlops.yaml:5:1: vocabularies.side.synonyms: sides.csv cannot be read: there is no such file"
            ])
        let nameless = tree.setting("vocabularies", ["side": ["unknown": "keep"]])
        #expect(Self.messages(nameless, [:]) == ["mlops.yaml:3:1: vocabularies.side: \"synonyms\" is missing"])
        let misspelt = tree.setting("views", ["sides": ["from": "trades", "columns": ["kind": "canonical(side, 'sid')"]]])
        #expect(Self.messages(misspelt, ["sides.csv": .text("BUY")]).count == 1)
        #expect(Self.messages(misspelt, ["sides.csv": .text("BUY")])[0].contains("there is no vocabulary \"sid\"; did you mean \"side\"?"))
    }
}
