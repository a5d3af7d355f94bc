import HTTPTypes
import Testing
import Tracking
import Web

@testable import TrackRole

@Suite struct PagePieceTests {
    @Test(arguments: [
        (0, "just now"), (59, "59 s ago"), (60, "1 min ago"), (3_599, "59 min ago"), (3_600, "1 h ago"), (86_399, "23 h ago"),
        (86_400, "1 d ago"),
        (29 * 86_400, "29 d ago"), (30 * 86_400, "2023-10-15"), (-3, "just now"), (-60, "2023-11-14"),
    ])
    func `a time is told as a person would say it`(secondsAgo: Int64, text: String) {
        let now: Int64 = 1_700_000_000_000
        #expect(Piece.relative(now - secondsAgo * 1_000, now: now) == text)
    }

    @Test(
        arguments: [
            (0, "0 ms"), (999, "999 ms"), (1_000, "1 s"), (59_950, "59.9 s"), (60_000, "1 min"), (3_599_999, "59 min 59 s"),
            (3_600_000, "1 h"),
            (90_000_000, "1 d 1 h"), (-1, ""),
        ] as [(Int64, String)])
    func `a span is told in two units at most`(milliseconds: Int64, text: String) {
        #expect(Piece.span(milliseconds: milliseconds) == text)
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-12_345, "-12,345")])
    func `large numbers are grouped`(number: Int, text: String) {
        #expect(Piece.grouped(number) == text)
    }

    @Test func `an address differs in one choice and keeps the rest`() {
        let query = PageQuery(path: "/x", pairs: [("filter", "a = 'b'"), ("run", "1"), ("run", "2"), ("empty", "")])
        #expect(query.address == "/x?filter=a%20%3D%20%27b%27&run=1&run=2")
        #expect(query.setting("filter", nil).removing("run", "1").adding("y", "&").address == "/x?run=2&y=%26")
        #expect(query["run"] == "2" && query.all("run") == ["1", "2"] && !query.has("empty"))
        #expect(query.int("run", 5...9, default: 7) == 5 && query.int("filter", 5...9, default: 7) == 7)
        #expect(PageQuery(path: "/", pairs: [("s", "nan")]).number("s", 0...1, default: 0.5) == 0.5)
    }

    @Test func `a form keeps what it has no field for`() {
        let query = PageQuery(path: "/", pairs: [("a", "1"), ("q", "\"<x>")])
        #expect(query.hidden(except: "a").text == "<input type=\"hidden\" name=\"q\" value=\"&quot;&lt;x&gt;\">")
    }

    @Test(arguments: [
        ("metrics.val/loss", RunColumn(.metrics, "val/loss")), ("tags.mlflow.user", RunColumn(.tags, "mlflow.user")), ("metrics.", nil),
        ("loss", nil),
        ("attributes.x", nil),
    ])
    func `a column is named as the search names it`(text: String, column: RunColumn?) {
        #expect(RunColumn(text) == column)
    }

    @Test func `a head sorts one way, then the other, then not`() {
        func link(_ order: String) -> String {
            SortLink(query: PageQuery(path: "/", pairs: [("order", order), ("page", "t")]), term: "metrics.`a`", title: "a").html.text
        }
        #expect(link("").contains("order=metrics.%60a%60%20DESC\""))
        #expect(link("metrics.`a` DESC").contains("order=metrics.%60a%60%20ASC\""))
        #expect(link("metrics.`a` ASC").contains("href=\"/\""))
    }

    // MARK: Smoothing

    @Test func `smoothing keeps a constant, starts without a bias and leaves gaps`() {
        #expect(Smoothing.average([2, 2, 2], weight: 0.9).allSatisfy { abs($0 - 2) < 1e-12 })
        #expect(Smoothing.average([1, 2], weight: 0) == [1, 2])
        let smooth = Smoothing.average([1, .nan, 3], weight: 0.5)
        #expect(smooth[0] == 1 && smooth[1].isNaN)
        // (0.5 · 0.5 · 1 + 0.5 · 3) / (1 − 0.25)
        #expect(abs(smooth[2] - 7.0 / 3) < 1e-12)
    }

    // MARK: Text in columns

    @Test(arguments: [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]), ("a,b\r\n\"x, \"\"y\"\"\",\"l1\nl2\"", [["a", "b"], ["x, \"y\"", "l1\nl2"]]),
        ("a,,\n", [["a", "", ""]]), ("", []), ("a\n\n\nb", [["a"], ["b"]]), ("\"open,\nto the end", [["open,\nto the end"]]),
        ("x\"y\",\"z\"w", [["x\"y\"", "zw"]]),
    ])
    func `text in columns is read as it is written`(text: String, rows: [[String]]) {
        #expect(DelimitedText.read(text, delimiter: ",", maxRows: 10) == rows)
    }

    @Test func `no more rows are read than are shown`() {
        let text = String(repeating: "1,2\n", count: 1_000)
        #expect(DelimitedText.read(text, delimiter: ",", maxRows: 7).count == 7)
    }

    @Test func `JSON is laid out with short lists on one line`() throws {
        let value = try JSONReader.read(Array("{\"a\":[1,2],\"b\":{\"c\":\"x\"},\"e\":[],\"l\":[{\"k\":1}]}".utf8))
        #expect(
            JSONPretty.text(value) == """
                {
                  "a": [1,2],
                  "b": {
                    "c": "x"
                  },
                  "e": [],
                  "l": [
                    {
                      "k": 1
                    }
                  ]
                }
                """)
    }

    @Test func `a file that a page shows comes with a policy that takes all rights from it`() {
        let html = ArtifactPreview.headers("a/x.HTML", runsScripts: false)
        #expect(html[.contentType] == "text/html; charset=utf-8")
        #expect(html[.contentSecurityPolicy]?.hasPrefix("sandbox; default-src 'none'") == true)
        #expect(html[.contentSecurityPolicy]?.contains("script-src") == false)
        #expect(ArtifactPreview.headers("x.svg", runsScripts: false)[.contentType] == "image/svg+xml")
        #expect(
            ArtifactPreview.headers("x", runsScripts: true)[.contentSecurityPolicy]?.hasPrefix("sandbox allow-scripts; default-src 'none'")
                == true)
    }
}
