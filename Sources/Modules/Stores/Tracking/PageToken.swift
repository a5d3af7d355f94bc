import Foundation

/// Where the next page of a search begins. Opaque to clients: base64 of `{"offset": 20}`, as MLflow's own server writes it.
package enum PageToken {
    package static func encode(offset: Int) -> String { Data("{\"offset\": \(offset)}".utf8).base64EncodedString() }

    /// - Returns: 0 without a token.
    /// - Throws: `invalidParameter` for a token that is not ours.
    package static func offset(of token: String?) throws(TrackingError) -> Int {
        guard let token, !token.isEmpty else { return 0 }
        guard let data = Data(base64Encoded: token), let text = String(data: data, encoding: .utf8),
            text.hasPrefix("{\"offset\":"), text.hasSuffix("}"),
            let offset = Int(text.dropFirst(10).dropLast().drop { $0 == " " }), offset >= 0
        else { throw TrackingError(.invalidParameter, "Invalid page token") }
        return offset
    }

    /// Cuts one element too many off a page and tells where it begins.
    package static func page<Element: Sendable>(_ found: [Element], offset: Int, limit: Int) -> Paged<Element> {
        found.count > limit
            ? Paged(elements: Array(found.prefix(limit)), nextPageToken: encode(offset: offset + limit))
            : Paged(elements: found, nextPageToken: nil)
    }
}
