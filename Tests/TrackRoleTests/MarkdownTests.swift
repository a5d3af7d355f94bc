import Testing
import Web

@testable import TrackRole

@Suite struct MarkdownTests {
    @Test(arguments: [
        ("# Title", "<h3>Title</h3>"), ("a\nb", "<p>a\nb</p>"), ("a\n\nb", "<p>a</p><p>b</p>"),
        ("**b** *i* _j_ ~~d~~", "<p><strong>b</strong> <em>i</em> <em>j</em> <del>d</del></p>"),
        ("`a*b*`", "<p><code>a*b*</code></p>"), ("2 * 3 * 4", "<p>2 * 3 * 4</p>"), ("snake_case_name", "<p>snake_case_name</p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"), ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"), ("> q", "<blockquote><p>q</p></blockquote>"),
        ("```swift\nlet a = 1 < 2\n```", "<pre><code>let a = 1 &lt; 2</code></pre>"), ("```\nopen", "<pre><code>open</code></pre>"),
        ("---", "<hr>"),
        ("[t](https://a.b/c?d=\"e\")", "<p><a href=\"https://a.b/c?d=&quot;e&quot;\" rel=\"noopener noreferrer nofollow\">t</a></p>"),
        ("![alt](https://a.b/c.png)", "<p><a href=\"https://a.b/c.png\" rel=\"noopener noreferrer nofollow\">alt</a></p>"),
        ("\\*not\\*", "<p>*not*</p>"), ("#no heading", "<p>#no heading</p>"),
    ])
    func `the known part of Markdown becomes markup`(text: String, html: String) {
        #expect(MarkdownText.html(text).text == html)
    }

    @Test func `a table of pipes becomes a table`() {
        let html = MarkdownText.html("| a | b |\n|---|:-:|\n| 1 | **2** |").text
        #expect(html.contains("<th scope=\"col\">a</th>") && html.contains("<td><strong>2</strong></td>"))
    }

    @Test(arguments: [
        "<script>alert(1)</script>", "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,<script>)",
        "[x](vbscript:x)", "![x](x\" onerror=\"y)",
        "[<img src=x onerror=y>](https://a)", "# <b onclick=x>", "| <i> |\n|---|\n| <u> |", "`<b>`", "```\n</code></pre><script>",
        "[a](https://b\"onmouseover=\"c)",
        "**<script>**", "> <iframe>", "- <object>", "[x](//evil)", "[x](/runs/1)", "[x]( https://a)",
    ])
    func `what is not known stays text`(text: String) {
        let html = MarkdownText.html(text).text
        for tag in ["<script", "<img", "<b", "<i>", "<u>", "<iframe", "<object", "javascript:alert(1)\"", "\" on"] {
            // A quote of a block begins with the same letter.
            #expect(!html.replacing("<blockquote>", with: "").contains(tag), "\(html)")
        }
        for link in html.split(separator: "href=\"").dropFirst() { #expect(link.hasPrefix("https://") || link.hasPrefix("http://")) }
    }

    @Test func `a long text of marks is done in no time`() {
        for mark in ["[", "*", "`", "_", "**a", "> ", "- ", "|", "![](", "[a]("] {
            let text = String(repeating: mark, count: 20_000 / mark.count)
            let clock = ContinuousClock(), start = clock.now
            #expect(!MarkdownText.html(text).isEmpty)
            #expect(clock.now - start < .seconds(5), "\(mark)")
        }
        #expect(MarkdownText.html(String(repeating: "a", count: MarkdownText.maxBytes + 1)).text.hasPrefix("<pre>"))
    }
}
