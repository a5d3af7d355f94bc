import Web

/// A span as it arrives, before it is known to be whole.
struct SpanDraft {
    struct Event {
        var time: UInt64 = 0
        var name = ""
        var attributes: [JSONValue.Member] = []
    }

    struct Link {
        var trace: [UInt8] = []
        var span: [UInt8] = []
        var attributes: [JSONValue.Member] = []
    }

    var trace: [UInt8] = []
    var id: [UInt8] = []
    var parent: [UInt8] = []
    var name = ""
    var start: UInt64 = 0
    var end: UInt64 = 0
    var status = TraceSpan.Status.unset
    var message = ""
    var attributes: [JSONValue.Member] = []
    var events: [Event] = []
    var links: [Link] = []

    mutating func setStatus(_ code: Int64) { status = code == 1 ? .ok : code == 2 ? .error : .unset }

    /// - Returns: `nil` without ids, or when an id or a time has no room.
    var span: TraceSpan? {
        guard !trace.isEmpty, !id.isEmpty, let traceHex = Hexadecimal.digits(trace, count: 32), let id = Hexadecimal.digits(id, count: 16),
            let start = Int64(exactly: start), let end = Int64(exactly: end)
        else { return nil }
        var parentID: String?
        if !parent.isEmpty {
            guard let digits = Hexadecimal.digits(parent, count: 16) else { return nil }
            // Some exporters write a missing parent as zeros.
            parentID = digits.allSatisfy { $0 == "0" } ? nil : digits
        }
        var span = TraceSpan(
            traceHex: traceHex, id: id, parent: parentID, name: name, start: start, end: end == 0 ? nil : end, status: status,
            message: message, attributes: attributes.map { .init($0.key, json: Self.plain($0.value)) },
            events: events.map { .init(name: $0.name, time: Int64(clamping: $0.time), attributes: $0.attributes) },
            links: links.compactMap { link in
                guard let trace = Hexadecimal.digits(link.trace, count: 32), let span = Hexadecimal.digits(link.span, count: 16) else {
                    return nil
                }
                return .init(traceID: "tr-" + trace, spanID: span, attributes: link.attributes)
            })
        // The trace a span belongs to is told by its id alone, not by what a client writes.
        span.set("mlflow.traceRequestId", json: PythonJSON.text(.string(span.traceID)))
        return span
    }

    /// The JSON text of an attribute. A text that is itself the JSON of a text, list or object stands for that.
    static func plain(_ value: JSONValue) -> String {
        if case .string(let text) = value, let first = text.utf8.first(where: { $0 > 0x20 }),
            first == UInt8(ascii: "{") || first == UInt8(ascii: "[") || first == UInt8(ascii: "\""),
            let inner = try? JSONReader.read(text.utf8)
        {
            switch inner {
            case .string, .array, .object: return text
            default: break
            }
        }
        return PythonJSON.text(value)
    }
}
