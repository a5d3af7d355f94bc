import Domain
import Testing
import YAML

@testable import Settings

struct CallCommasTests {
    /// Scalars of a file from top to bottom, keys included. Each must stand where it says it does.
    private func scalars(_ text: String) throws -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        func checked(_ scalar: String, _ at: SourceNode.Position, isQuoted: Bool = false) -> String {
            #expect(lines[at.line - 1].dropFirst(at.column - 1 + (isQuoted ? 1 : 0)).hasPrefix(scalar.prefix(2)))
            return scalar
        }
        func walk(_ node: SourceNode) -> [String] {
            switch node.content {
            case .scalar(let text, let isQuoted): [checked(text, node.position, isQuoted: isQuoted)]
            case .list(let items): items.flatMap(walk)
            case .map(let entries): entries.flatMap { [checked($0.key, $0.keyPosition)] + walk($0.value) }
            }
        }
        return walk(try ProjectFile.parse(Array(text.utf8), file: "mlops.yaml"))
    }

    @Test func `a comma inside a call does not end a value`() throws {
        #expect(
            try scalars("search: {eta: log(0.01, 0.5), lambda: log(0.1, 0.5), list: [sma(a, 7), b]}") == [
                "search", "eta", "log(0.01, 0.5)", "lambda", "log(0.1, 0.5)", "list", "sma(a, 7)", "b",
            ])
    }

    @Test func `calls nest and hold text`() throws {
        #expect(
            try scalars("{a: round(sma(x, 3), 2), b: concat(c, \"), (\", d), e: f}") == [
                "a", "round(sma(x, 3), 2)", "b", "concat(c, \"), (\", d)", "e", "f",
            ])
    }

    @Test func `text in quotes, comments and blocks is left as it is`() throws {
        #expect(
            try scalars("a: [\"x (\", 'it''s (', b] # (it's, not]\nc: f(x, y)\nd: {e: 1, f: don't, g: 2}\n") == [
                "a", "x (", "it's (", "b", "c", "f(x, y)", "d", "e", "1", "f", "don't", "g", "2",
            ])
    }

    @Test func `a repeated key is told as it is written`() {
        #expect(throws: YAMLError(.duplicateKey, file: "f", at: .init(line: 1, column: 14), "key \"f(a, b)\" was given before, at line 1"))
        {
            try ProjectFile.parse(Array("{f(a, b): 1, f(a, b): 2}".utf8), file: "f")
        }
    }

    @Test func `a parenthesis that is never closed ends with its collection`() throws {
        #expect(try scalars("{a: log(1, 2}\n") == ["a", "log(1, 2"])
        #expect(try scalars("x: {a: log(1, 2}\ny: {b: 1, c: 2}\n") == ["x", "a", "log(1, 2", "y", "b", "1", "c", "2"])
    }
}
