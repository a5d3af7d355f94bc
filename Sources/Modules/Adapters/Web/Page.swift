/// A whole page: one HTML document that needs nothing from elsewhere, in the reader's light or dark colours.
package struct Page: Sendable {
    package struct Link: Sendable {
        package let title: String
        package let target: String

        package init(_ title: String, _ target: String) {
            self.title = title
            self.target = target
        }
    }

    package var title: String
    /// The product's sections, shown at the top of every page.
    package var navigation: [Link]
    /// The target of the section that the page belongs to.
    package var section: String?
    /// Where the page stands below a section: ancestors first, itself left out.
    package var trail: [Link]
    /// Beside the title: what it is, in a word or two.
    package var badge: HTML = .empty
    /// At the end of the title's line: what can be done with it.
    package var actions: HTML = .empty
    package var body: HTML
    /// Uses the whole width of the window: for wide tables.
    package var isWide = false
    /// Seconds after which the page loads itself again; `nil` for never.
    package var refreshSeconds: Int?
    /// Where the server of the page keeps its style and script; `nil` for a page that stands alone, without a script.
    package var assets: PageAssets?

    package init(title: String, navigation: [Link] = [], section: String? = nil, trail: [Link] = [], body: HTML) {
        self.title = title
        self.navigation = navigation
        self.section = section
        self.trail = trail
        self.body = body
    }

    private static let common = "default-src 'none'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "

    /// What a response must say that carries a page which stands alone: no script, nothing from elsewhere, no frame around it.
    package static let contentSecurityPolicy = common + "style-src 'unsafe-inline'"

    /// The same for this page, which may use its own server's files.
    package var securityPolicy: String {
        assets == nil
            ? Self.contentSecurityPolicy
            : Self.common + "style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; media-src 'self'"
    }

    package func render() -> String {
        let page: HTML = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\(refresh)
            <title>\(title)\(navigation.isEmpty ? "" : " · mlops")</title>\(links)</head>
            <body>\(header)<main id="main"\(isWide ? " class=\"wide\"" : "" as HTML)\(liveMark)>\(path)<div class="title"><h1>\(title)</h1>\(badge)\(end)</div>
            \(body)
            </main></body></html>

            """
        return page.text
    }

    private var end: HTML { actions.isEmpty ? .empty : "<div class=\"actions\">\(actions)</div>" }

    /// With a script the page changes in place; without one it loads again.
    private var refresh: HTML {
        guard let seconds = refreshSeconds else { return .empty }
        let meta: HTML = "<meta http-equiv=\"refresh\" content=\"\(seconds)\">"
        return assets == nil ? meta : "<noscript>\(meta)</noscript>"
    }

    private var liveMark: HTML { refreshSeconds.map { " data-refresh=\"\($0)\"" } ?? .empty }

    private var links: HTML {
        guard let assets else { return "<style>\(HTML(trusted: PageStyle.text))</style>" }
        return """
            <link rel="icon" href="\(assets.icon)"><link rel="stylesheet" href="\(assets.style)"><script src="\(assets.script)" defer></script>
            """
    }

    private var header: HTML {
        guard !navigation.isEmpty else { return .empty }
        let sections = navigation.map { link -> HTML in
            "<a href=\"\(link.target)\"\(link.target == section ? " aria-current=\"page\"" : "" as HTML)>\(link.title)</a>"
        }
        return """
            <a class="skip" href="#main">Skip to the content</a><header><a class="brand" href="/">\(PageAssets.mark)mlops</a>\
            <nav aria-label="Sections">\(sections)</nav></header>
            """
    }

    private var path: HTML {
        let steps = trail.map { link -> HTML in "<a href=\"\(link.target)\">\(link.title)</a><span aria-hidden=\"true\"> / </span>" }
        return steps.isEmpty ? .empty : "<nav class=\"trail\" aria-label=\"Path\">\(steps)</nav>"
    }
}
