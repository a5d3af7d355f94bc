import Domain
import Foundation
import Testing
import YAML

@Suite struct YAMLReaderTests {
    private func parse(_ text: String) throws(YAMLError) -> SourceNode { try YAMLReader.parse(Array(text.utf8), file: "t.yaml") }

    private func failure(_ text: String) -> YAMLError? {
        do throws(YAMLError) {
            _ = try parse(text)
            return nil
        } catch {
            return error
        }
    }

    /// Positions apart, as JSON-like text: quoted scalars in quotes, plain ones bare.
    private func outline(_ node: SourceNode) -> String {
        switch node.content {
        case .scalar(let text, let isQuoted): isQuoted ? "\"\(text)\"" : text
        case .list(let elements): "[" + elements.map(outline).joined(separator: ",") + "]"
        case .map(let entries): "{" + entries.map { "\($0.key):\(outline($0.value))" }.joined(separator: ",") + "}"
        }
    }

    @Test(arguments: [
        ("a: 1\nb: {c: [x, 'y', \"z\"], d: }\n", "{a:1,b:{c:[x,\"y\",\"z\"],d:}}"),
        ("- |\n  two\n  lines\n- plain # comment\n", "[\"two\nlines\n\",plain]"),
        ("just text", "just text"), ("b: 1\na: 2\n", "{b:1,a:2}"), ("when: \"drifted_share > 0.5\"", "{when:\"drifted_share > 0.5\"}"),
        ("a: !!str 1\nb: !!int 2\n", "{a:\"1\",b:2}"), ("ü: é\n", "{ü:é}"), ("'<<': 1\n", "{<<:1}"),
    ])
    func `a document becomes maps, lists and scalars as written`(text: String, expected: String) throws {
        #expect(outline(try parse(text)) == expected)
    }

    @Test func `every key and value knows its line and column, from 1`() throws {
        let root = try parse("views:\n  candles:\n    from: trades\n")
        guard case .map(let views) = root.content, case .map(let candles) = views[0].value.content,
            case .map(let from) = candles[0].value.content
        else {
            Issue.record("not maps")
            return
        }
        #expect(root.position == .init(line: 1, column: 1))
        #expect(candles[0].keyPosition == .init(line: 2, column: 3))
        #expect(from[0].keyPosition == .init(line: 3, column: 5))
        #expect(from[0].value.position == .init(line: 3, column: 11))
    }

    @Test func `an alias repeats its anchor, with its own place outside and the anchor's inside`() throws {
        let root = try parse("a: &x {p: 1}\nb: *x\n")
        guard case .map(let entries) = root.content, case .map(let inner) = entries[1].value.content else {
            Issue.record("not maps")
            return
        }
        #expect(outline(root) == "{a:{p:1},b:{p:1}}")
        #expect(entries[1].value.position == .init(line: 2, column: 4))
        #expect(inner[0].keyPosition == .init(line: 1, column: 8))
    }

    @Test func `a merge fills in what the map does not say itself`() throws {
        let text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {b: 9, <<: [*x, *y]}\nw:\n  <<: *x\n  a: 7\n"
        #expect(outline(try parse(text)) == "{x:{a:1,b:2},y:{b:3,c:4},z:{b:9,a:1,c:4},w:{a:7,b:2}}")
    }

    @Test(
        arguments: [
            ("a: 1\nb: 2\na: 3\n", YAMLError.Code.duplicateKey, 3, 1), ("a: [1, 2\nb: 3\n", .syntax, 2, 2), ("a: b: c\n", .syntax, 1, 5),
            ("a:\n\t- 1\n", .syntax, 2, 1), ("a: *nowhere\n", .syntax, 1, 4), ("a: &x [*x]\n", .syntax, 1, 8),
            ("a: 1\n---\nb: 2\n", .unsupported, 2, 1), ("? [a, b]\n: c\n", .unsupported, 1, 3),
            ("a: !python/object x\n", .unsupported, 1, 4),
            ("a: {<<: 3}\n", .unsupported, 1, 9), ("", .unsupported, 1, 1), ("# only a comment\n", .unsupported, 2, 1),
        ] as [(String, YAMLError.Code, Int, Int)])
    func `what cannot be used is refused with its place`(text: String, code: YAMLError.Code, line: Int, column: Int) {
        let error = failure(text)
        #expect(error?.code == code)
        #expect(error?.position == .init(line: line, column: column))
        #expect(error?.description.hasPrefix("t.yaml:\(line):\(column): ") == true)
    }

    @Test func `bytes that are not UTF-8 are refused with their place`() {
        do throws(YAMLError) {
            _ = try YAMLReader.parse(Array("a: 1\nb: ".utf8) + [0xFF, 0x0A], file: "t.yaml")
            Issue.record("accepted")
        } catch {
            #expect(error.code == .syntax)
            #expect(error.position == .init(line: 2, column: 4))
        }
    }

    @Test func `a small file cannot become a huge tree`() {
        let layers = (1...9).map { "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ", "))]" }
        let error = failure((["a0: &a0 x"] + layers).joined(separator: "\n"))
        #expect(error?.code == .tooLarge)
        #expect(error?.reason == "more than 100000 values")
    }

    @Test func `nesting and size have limits`() {
        let deepest = String(repeating: "[", count: YAMLReader.maxDepth) + String(repeating: "]", count: YAMLReader.maxDepth)
        #expect(failure(deepest) == nil)
        #expect(failure("[" + deepest + "]")?.code == .tooLarge)
        #expect(failure("a: " + String(repeating: "x", count: YAMLReader.maxBytes))?.code == .tooLarge)
    }

    @Test func `a file is read by its path, and one that is not there is unreadable`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("a: 1\n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(outline(try YAMLReader.read(path: path)) == "{a:1}")
        do throws(YAMLError) {
            _ = try YAMLReader.read(path: "/nowhere/mlops.yaml")
            Issue.record("read")
        } catch {
            #expect(error.description == "/nowhere/mlops.yaml: No such file or directory")
        }
        #expect(throws: YAMLError.self) { try YAMLReader.read(path: FileManager.default.temporaryDirectory.path) }
    }
}
