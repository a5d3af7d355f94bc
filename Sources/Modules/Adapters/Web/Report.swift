/// A report that stands alone as one HTML file: what training and monitoring leave behind for a person.
package struct Report: Sendable {
    package enum Tone: String, Sendable { case plain = "", good, warn, bad }

    package enum Block: Sendable {
        case paragraph(String)
        /// A sentence that carries the verdict.
        case verdict(String, Tone)
        case facts([(name: String, value: String)])
        case table(TableMarkup)
        /// Charts side by side.
        case charts([Chart])
        case text(String)
    }

    package struct Section: Sendable {
        package let title: String
        package let blocks: [Block]

        package init(_ title: String, _ blocks: [Block]) {
            self.title = title
            self.blocks = blocks
        }
    }

    package var title: String
    package var lead: String
    package var sections: [Section]

    package init(title: String, lead: String, sections: [Section]) {
        self.title = title
        self.lead = lead
        self.sections = sections
    }

    package func render() -> String {
        let parts = sections.map { section -> HTML in "<section><h2>\(section.title)</h2>\(section.blocks.map(Self.markup))</section>\n" }
        return Page(title: title, body: "<p class=\"dim\">\(lead)</p>\(parts)").render()
    }

    private static func markup(_ block: Block) -> HTML {
        switch block {
        case .paragraph(let text): "<p>\(text)</p>"
        case .verdict(let text, let tone): "<p><strong class=\"\(tone.rawValue)\">\(text)</strong></p>"
        case .facts(let facts):
            TableMarkup([.text("Fact"), .text("Value")], rows: facts.map { ["\($0.name)", "\($0.value)"] }).render()
        case .table(let table): table.render()
        case .charts(let charts): "<div class=\"charts\">\(charts.map { $0.render() })</div>"
        case .text(let text): "<pre>\(text)</pre>"
        }
    }
}
