import Domain
package import Hummingbird
import HTTPTypes

/// The files that a server's pages load from it: their style, script and icon.
///
/// Their addresses carry a digest of what they hold, so browsers keep them until they change.
package struct PageAssets: Sendable {
    let style: String
    let script: String
    let icon: String

    /// - Parameter root: The path below which ``add(to:)`` puts them: `/assets`.
    package init(root: String) {
        func path(_ name: String, _ text: String) -> String { "\(root)/\(ContentHash(of: text).hex.prefix(12))/\(name)" }
        style = path("pages.css", PageStyle.text)
        script = path("pages.js", PageScript.text)
        icon = path("icon.svg", Self.iconText)
    }

    package func add(to router: Router<WebContext>) {
        for (path, text, type) in [
            (style, PageStyle.text, "text/css"), (script, PageScript.text, "text/javascript"), (icon, Self.iconText, "image/svg+xml"),
        ] {
            router.get(RouterPath(path)) { _, _ in
                var response = Response.text(text, type: type + "; charset=utf-8")
                response.headers[.cacheControl] = "public, max-age=31536000, immutable"
                return response
            }
        }
    }

    /// The product's mark: a loop around what is learned.
    static let mark: HTML = "<svg viewBox=\"0 0 24 24\" width=\"18\" height=\"18\" aria-hidden=\"true\">\(drawing)</svg>"

    /// The same as a file of its own.
    private static let iconText = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\">\(drawing.text)</svg>"

    private static let drawing: HTML = """
        <path d="M4 14.5a8 8 0 0 1 13.7-5.6M20 9.5a8 8 0 0 1-13.7 5.6" fill="none" stroke="#2f6fd6" stroke-width="3" \
        stroke-linecap="round"/><circle cx="12" cy="12" r="2.6" fill="#2f9e6e"/>
        """
}
