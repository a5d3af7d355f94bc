import Foundation

/// What a request line under `/v1/` asks for.
///
/// Fixed words match in any case and the whole path counts; what fits no form is malformed, also a known path with
/// another verb, as TensorFlow Serving has it.
package enum ServePath: Sendable, Equatable {
    package enum Selector: Sendable, Equatable {
        case latest
        case version(Int64)
        case label(String)
    }

    package enum Verb: String, Sendable, CaseIterable { case predict, classify, regress }

    case models
    case call(model: String, Selector, Verb)
    case status(model: String, Selector)
    case metadata(model: String, Selector)

    /// - Parameter path: Still percent-encoded, without the query.
    package static func parse(method: String, path: String) throws(ServeFailure) -> ServePath {
        let malformed = ServeFailure(.invalid, "Malformed request: \(method) \(path)")
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)[...]
        guard parts.popFirst() == "", parts.popFirst()?.lowercased() == "v1", parts.popFirst()?.lowercased() == "models" else {
            throw malformed
        }
        var verb: Verb?
        if let last = parts.last, let colon = last.lastIndex(of: ":") {
            verb = Verb(rawValue: last[last.index(after: colon)...].lowercased())
            guard verb != nil else { throw malformed }
            parts[parts.endIndex - 1] = last[..<colon]
        }
        guard let encoded = parts.popFirst(), !encoded.isEmpty else {
            if parts.isEmpty, method == "GET", verb == nil { return .models }
            throw malformed
        }
        guard !encoded.contains(":"), let model = String(encoded).removingPercentEncoding else { throw malformed }
        let selector = try selector(&parts, malformed)
        if let verb {
            guard method == "POST", parts.isEmpty else { throw malformed }
            return .call(model: model, selector, verb)
        }
        guard method == "GET" else { throw malformed }
        if parts.isEmpty { return .status(model: model, selector) }
        guard parts.count == 1, parts.first?.lowercased() == "metadata" else { throw malformed }
        return .metadata(model: model, selector)
    }

    /// `/versions/N` or `/labels/L`, if one of them comes next.
    private static func selector(_ parts: inout ArraySlice<Substring>, _ malformed: ServeFailure) throws(ServeFailure) -> Selector {
        guard parts.count >= 2, let kind = parts.first?.lowercased(), kind == "versions" || kind == "labels" else { return .latest }
        let text = parts[parts.startIndex + 1]
        parts.removeFirst(2)
        guard !text.isEmpty, !text.contains(":") else { throw malformed }
        if kind == "labels" {
            guard let label = String(text).removingPercentEncoding else { throw malformed }
            return .label(label)
        }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }) else { throw malformed }
        guard let number = Int64(text) else { throw ServeFailure(.invalid, "Failed to convert version: \(text) to numeric.") }
        return .version(number)
    }
}
