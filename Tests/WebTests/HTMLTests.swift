import Foundation
import Testing

@testable import Web

@Suite struct HTMLTests {
    @Test func `a stranger's text cannot become markup`() {
        let name = "<script>alert('x')</script> & \"quotes\""
        let cell: HTML = "<td title=\"\(name)\">\(name)</td>"
        #expect(!cell.text.contains("<script"))
        #expect(cell.text.hasPrefix("<td title=\"&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quotes&quot;\">"))
    }

    @Test func `markup inside markup stays`() {
        let inner: HTML = "<b>\("<")</b>"
        let outer: HTML = "<p>\(inner)\([inner, inner])\(3)</p>"
        #expect(outer.text == "<p><b>&lt;</b><b>&lt;</b><b>&lt;</b>3</p>")
    }

    @Test func `a page escapes its title and needs nothing from elsewhere`() {
        let page = Page(title: "a<b", navigation: [.init("Models", "/models")], body: "<p>x</p>").render()
        #expect(page.contains("<title>a&lt;b · mlops</title>"))
        #expect(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"))
    }

    @Test func `a page of a server says that only the server's own files may run`() {
        var page = Page(title: "t", body: "")
        #expect(page.securityPolicy.contains("style-src 'unsafe-inline'") && !page.securityPolicy.contains("script-src"))
        page.assets = PageAssets(root: "/assets")
        #expect(page.securityPolicy.contains("script-src 'self'") && !page.securityPolicy.contains("unsafe"))
        let text = page.render()
        #expect(!text.contains("<style") && text.contains("<script src=\"/assets/") && text.contains("/pages.css\""))
    }

    @Test(arguments: [
        (0.0, "0"), (1, "1"), (-1.5, "-1.5"), (0.000_123_456, "0.00012346"), (123_456.789, "123457"), (1e-7, "1e-7"), (2.5e20, "2.5e20"),
        (99_999.96, "100000"),
        (.nan, "NaN"), (0.1 + 0.2, "0.3"),
    ])
    func `a number is shown with five significant digits`(value: Double, text: String) {
        #expect(NumberText.short(value) == text)
    }

    @Test func `a path segment survives the way through a URL`() {
        let name = "a b/ü?#%&+\"'"
        let encoded = URLText.encode(name)
        #expect(encoded.utf8.allSatisfy { $0 < 0x80 } && !encoded.contains("/"))
        #expect(URLText.decode(encoded) == name)
        #expect(URLText.decode("%4") == nil && URLText.decode("%zz") == nil && URLText.decode("%ff") == nil)
    }

    @Test func `a query keeps the order and repeats of its pairs`() {
        let pairs = URLText.query("a=1&b=x+y&a=%3D%26&c")
        #expect(pairs.map(\.name) == ["a", "b", "a", "c"])
        #expect(pairs.map(\.value) == ["1", "x y", "=&", ""])
    }
}

@Suite struct ChartTests {
    @Test(
        arguments: [
            [0.0, 10], [3.2, 3.3], [-5, 5], [1e-12, 2e-12], [1e300, 1.5e300], [-.greatestFiniteMagnitude, .greatestFiniteMagnitude],
            [7, 7], [],
        ] as [[Double]])
    func `a scale covers its values with a few ascending ticks`(values: [Double]) {
        let scale = ChartScale(values)
        #expect(scale.ticks.count >= 2 && scale.ticks.count <= 21)
        #expect(zip(scale.ticks, scale.ticks.dropFirst()).allSatisfy { $0 < $1 })
        for value in values {
            let position = scale.position(value) ?? -1
            #expect(position >= -1e-9 && position <= 1 + 1e-9)
        }
    }

    @Test func `a logarithmic scale leaves out what it cannot show`() {
        let scale = ChartScale([0.01, 100, 0, -3], isLogarithmic: true)
        #expect(scale.position(1) == 0.5)
        #expect(scale.position(0) == nil && scale.position(-3) == nil)
    }

    @Test func `a line breaks at a missing value and a lone point still shows`() {
        let chart = Chart(title: "t", .points(.line, [.init("a", [(0, 1), (1, 2), (2, .nan), (3, 4), (4, .infinity), (5, 6), (6, 7)])]))
        let svg = chart.render().text
        #expect(svg.components(separatedBy: "M").count - 1 == 2)
        #expect(svg.components(separatedBy: "<circle cx").count - 1 == 1)
    }

    @Test func `titles and labels of a chart are escaped`() {
        let svg = Chart(title: "<a>", xLabel: "<b>", yLabel: "<c>", .bars([("<d>", 1)])).render().text
        for tag in ["<a>", "<b>", "<c>", "<d>"] { #expect(!svg.contains(tag)) }
    }

    @Test func `points of a line tell their value, and no more of them than can be pointed at`() {
        let points = (0..<1_000).map { (x: Double($0), y: Double($0) / 2) }
        let svg = Chart(title: "t", xLabel: "step", .points(.line, [.init("loss", points)])).render().text
        #expect(svg.contains("<title>loss: 499.5 at step 999</title>"))
        #expect(svg.components(separatedBy: "class=\"hit\"").count - 1 <= 81)
    }

    @Test func `a faint series is drawn, but neither named nor pointed at`() {
        let points = [(x: 0.0, y: 1.0), (x: 1, y: 2)]
        let chart = Chart(title: "t", .points(.line, [.init("raw", points, color: 0, isFaint: true), .init("a", points, color: 0)]))
        let svg = chart.render().text
        #expect(svg.contains("stroke-opacity=\"0.3\"") && !svg.contains("raw") && !svg.contains("class=\"legend\""))
    }

    @Test func `a line over parallel axes breaks where a value is missing`() {
        let chart = Chart(
            title: "t",
            .parallel(axes: ["a", "b", "<c>", "d"], [.init("r", [1, 2, nil, 4], color: 0), .init("s", [2, 3, 4, 5], color: 1)]))
        let svg = chart.render().text
        #expect(svg.components(separatedBy: "<path").count - 1 == 2 && svg.contains("<title>&lt;c&gt;</title>") && !svg.contains("<c>"))
    }

    @Test func `a histogram with too few edges draws no mark`() {
        let svg = Chart(title: "t", .histogram(edges: [0, 1], [("a", [0.5, 0.5])])).render().text
        #expect(!svg.contains("<path"))
    }

    @Test func `a report carries every block`() {
        let report = Report(
            title: "Drift", lead: "l",
            sections: [
                .init(
                    "S",
                    [
                        .paragraph("p<"), .verdict("worse", .bad), .facts([("n", "v")]), .table(TableMarkup([.text("c")], rows: [["x"]])),
                        .charts([Chart(title: "h", .histogram(edges: [0, 1, 2], [("ref", [0.5, 0.5])]))]), .text("pre"),
                    ])
            ]
        ).render()
        for piece in ["p&lt;", "class=\"bad\"", "<td>v</td>", "<svg", "<pre>pre</pre>"] { #expect(report.contains(piece)) }
    }
}
