/// A whole page: one HTML document that needs nothing from any network, in the reader's light or dark colours.
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
    /// Where the page stands below a section: ancestors first, itself left out.
    package var trail: [Link]
    package var body: HTML
    /// Seconds after which the page loads itself again; `nil` for never.
    package var refreshSeconds: Int?

    package init(title: String, navigation: [Link] = [], trail: [Link] = [], refreshSeconds: Int? = nil, body: HTML) {
        self.title = title
        self.navigation = navigation
        self.trail = trail
        self.refreshSeconds = refreshSeconds
        self.body = body
    }

    /// What a response that carries a page must say: no script, nothing from elsewhere, no frame around it.
    package static let contentSecurityPolicy =
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    package func render() -> String {
        let refresh: HTML = refreshSeconds.map { "<meta http-equiv=\"refresh\" content=\"\($0)\">" } ?? .empty
        let sections = navigation.map { link -> HTML in "<a href=\"\(link.target)\">\(link.title)</a>" }
        let steps = trail.map { link -> HTML in "<a href=\"\(link.target)\">\(link.title)</a><span aria-hidden=\"true\"> / </span>" }
        let header: HTML = sections.isEmpty ? .empty : "<header><nav aria-label=\"Sections\">\(sections)</nav></header>"
        let path: HTML = steps.isEmpty ? .empty : "<nav class=\"trail\" aria-label=\"Path\">\(steps)</nav>"
        let page: HTML = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\(refresh)
            <title>\(title)</title><style>\(Self.style)</style></head>
            <body>\(header)<main>\(path)<h1>\(title)</h1>
            \(body)
            </main></body></html>

            """
        return page.text
    }

    private static let style: HTML = """
        :root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d1d9e0;--soft:#f3f5f7;--link:#0a5cc4;--good:#1a7f37;--bad:#c4231f;--warn:#8a5a00;\
        --c0:#2f6fd0;--c1:#d0652f;--c2:#2f9e6e;--c3:#8e4fc6;--c4:#b3892b;--c5:#c23f77}
        @media (prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e4e8ec;--dim:#9aa5b1;--line:#343b43;--soft:#1d2228;--link:#7ab2ff;--good:#4cc26b;--bad:#ff7b72;--warn:#e0b050;\
        --c0:#7ab2ff;--c1:#ff9f6b;--c2:#5fd0a0;--c3:#c49bff;--c4:#e0c060;--c5:#ff8bb8}}
        *{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
        header{border-bottom:1px solid var(--line);padding:.6rem 1.2rem}header a{margin-right:1.2rem;font-weight:600}
        main{max-width:76rem;margin:0 auto;padding:1rem 1.2rem 4rem}h1{font-size:1.5rem;margin:.4rem 0 1rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:1.8rem 0 .5rem}
        a{color:var(--link);text-decoration:none}a:hover,a:focus-visible{text-decoration:underline}:focus-visible{outline:2px solid var(--link);outline-offset:2px}
        .trail{color:var(--dim);font-size:.9rem}.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
        .scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
        th{color:var(--dim);font-weight:600;font-size:.85rem}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:var(--soft);padding:.7rem;overflow-x:auto;border-radius:6px}
        .tag{display:inline-block;background:var(--soft);border:1px solid var(--line);border-radius:999px;padding:0 .55rem;margin:0 .3rem .2rem 0;font-size:.85rem}
        .charts{margin-top:1rem;display:grid;grid-template-columns:repeat(auto-fill,minmax(24rem,1fr));gap:1rem}figure{margin:0}figcaption{font-size:.9rem;font-weight:600;overflow-wrap:anywhere}
        svg{width:100%;height:auto;font:11px system-ui,sans-serif}svg text{fill:var(--dim)}input,select,button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.3rem .6rem}
        form.search{display:flex;gap:.5rem;margin:.5rem 0 1rem}form.search input{flex:1}
        """
}
