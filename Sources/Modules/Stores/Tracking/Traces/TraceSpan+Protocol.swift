package import Web

extension TraceSpan {
    /// From the JSON in which a server of the protocol answers with a span.
    /// - Returns: `nil` for anything else.
    package init?(protocol json: JSONValue) {
        guard let traceHex = json["trace_id"]?.string.flatMap({ Hexadecimal.id($0, digits: 32) }),
            let id = json["span_id"]?.string.flatMap({ Hexadecimal.id($0, digits: 16) }), let start = json["start_time_unix_nano"]?.int64
        else { return nil }
        func pairs(_ owner: JSONValue) -> [JSONValue.Member] { (try? OTLPRequest.pairs(owner, "attributes")) ?? [] }
        let code = (json["status"]?["code"]?.string ?? "").replacing("STATUS_CODE_", with: "")
        self.init(
            traceHex: traceHex, id: id,
            parent: json["parent_span_id"]?.string.flatMap { $0.isEmpty ? nil : Hexadecimal.id($0, digits: 16) },
            name: json["name"]?.string ?? "", start: start, end: json["end_time_unix_nano"]?.int64.flatMap { $0 == 0 ? nil : $0 },
            status: Status(rawValue: code) ?? .unset, message: json["status"]?["message"]?.string ?? "",
            attributes: pairs(json).map { Attribute($0.key, json: PythonJSON.text($0.value)) },
            events: (json["events"]?.array ?? []).map { event in
                Event(name: event["name"]?.string ?? "", time: event["time_unix_nano"]?.int64 ?? 0, attributes: pairs(event))
            },
            links: (json["links"]?.array ?? []).compactMap { link in
                guard let trace = link["trace_id"]?.string.flatMap({ Hexadecimal.id($0, digits: 32) }),
                    let span = link["span_id"]?.string.flatMap({ Hexadecimal.id($0, digits: 16) })
                else { return nil }
                return Link(traceID: "tr-" + trace, spanID: span, attributes: pairs(link))
            })
    }

    /// The attributes that hold what a step was given and gave back.
    package static let inputsName = inputsKey, outputsName = outputsKey

    /// `CHAIN`, `LLM`, …
    package var type: String? { text(Self.typeKey) }
    package var inputs: JSONValue? { attributes.last { $0.key == Self.inputsKey }?.value }
    package var outputs: JSONValue? { attributes.last { $0.key == Self.outputsKey }?.value }
}
