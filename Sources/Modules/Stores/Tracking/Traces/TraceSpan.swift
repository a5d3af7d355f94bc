import Foundation
package import Web

/// One step of a trace.
///
/// Attributes are kept as JSON text each, the way clients of the protocol read them back.
package struct TraceSpan: Sendable, Equatable {
    package enum Status: String, Sendable { case unset = "UNSET", ok = "OK", error = "ERROR" }

    package struct Attribute: Sendable, Equatable {
        package var key: String
        package var json: String

        package init(_ key: String, json: String) {
            self.key = key
            self.json = json
        }

        package var value: JSONValue { (try? JSONReader.read(json.utf8)) ?? .string(json) }
    }

    package struct Event: Sendable, Equatable {
        package var name: String
        /// Nanoseconds since the Unix epoch.
        package var time: Int64
        package var attributes: [JSONValue.Member]
    }

    package struct Link: Sendable, Equatable {
        /// `tr-` and hexadecimal digits.
        package var traceID: String
        package var spanID: String
        package var attributes: [JSONValue.Member]
    }

    /// 32 hexadecimal digits.
    package var traceHex: String
    /// 16 hexadecimal digits.
    package var id: String
    package var parent: String?
    package var name: String
    /// Nanoseconds since the Unix epoch.
    package var start: Int64
    package var end: Int64?
    package var status: Status
    package var message: String
    package var attributes: [Attribute]
    package var events: [Event]
    package var links: [Link]

    package var traceID: String { "tr-" + traceHex }

    package func attribute(_ key: String) -> String? { attributes.last { $0.key == key }?.json }

    /// The text of an attribute that holds one.
    package func text(_ key: String) -> String? {
        guard let json = attribute(key) else { return nil }
        return (try? JSONReader.read(json.utf8))?.string
    }

    package mutating func set(_ key: String, json: String) {
        if let index = attributes.firstIndex(where: { $0.key == key }) {
            attributes[index].json = json
        } else {
            attributes.append(Attribute(key, json: json))
        }
    }

    // MARK: As stored

    /// The JSON text that MLflow's servers store of a span.
    package var content: String { PythonJSON.text(json) }

    private var json: JSONValue {
        .object([
            .init("trace_id", .string(Hexadecimal.base64(traceHex))), .init("span_id", .string(Hexadecimal.base64(id))),
            .init("parent_span_id", parent.map { .string(Hexadecimal.base64($0)) } ?? .null), .init("name", .string(name)),
            .init("start_time_unix_nano", .int(start)), .init("end_time_unix_nano", end.map { .int($0) } ?? .null),
            .init(
                "events",
                .array(
                    events.map { event in
                        .object([
                            .init("name", .string(event.name)), .init("time_unix_nano", .int(event.time)),
                            .init("attributes", .object(event.attributes)),
                        ])
                    })),
            .init("status", .object([.init("code", .string("STATUS_CODE_\(status.rawValue)")), .init("message", .string(message))])),
            .init("attributes", .object(attributes.map { .init($0.key, .string($0.json)) })),
            .init(
                "links",
                .array(
                    links.map { link in
                        .object([
                            .init("trace_id", .string(link.traceID)), .init("span_id", .string(link.spanID)),
                            .init("attributes", .object(link.attributes)),
                        ])
                    })),
        ])
    }

    /// From such text, also of older releases, which wrote ids as hexadecimal digits.
    /// - Returns: `nil` for text that is no span.
    package init?(content: String) {
        guard let json = try? JSONReader.read(content.utf8) else { return nil }
        self.init(json)
    }

    package init?(_ json: JSONValue) {
        guard let trace = json["trace_id"]?.string, let span = json["span_id"]?.string, let name = json["name"]?.string,
            let start = json["start_time_unix_nano"]?.int64,
            let traceHex = Hexadecimal.id(trace.hasPrefix("tr-") ? String(trace.dropFirst(3)) : trace, digits: 32),
            let id = Hexadecimal.id(span, digits: 16)
        else { return nil }
        self.traceHex = traceHex
        self.id = id
        parent = json["parent_span_id"]?.string.flatMap { $0.isEmpty ? nil : Hexadecimal.id($0, digits: 16) }
        self.name = name
        self.start = start
        end = json["end_time_unix_nano"]?.int64.flatMap { $0 == 0 ? nil : $0 }
        let code = json["status"]?["code"]?.string ?? "UNSET"
        status = Status(rawValue: code.replacing("STATUS_CODE_", with: "")) ?? .unset
        message = json["status"]?["message"]?.string ?? ""
        attributes = (json["attributes"]?.members ?? []).map {
            Attribute($0.key, json: $0.value.string ?? PythonJSON.text($0.value))
        }
        events = (json["events"]?.array ?? []).compactMap { event in
            guard let name = event["name"]?.string else { return nil }
            return Event(name: name, time: event["time_unix_nano"]?.int64 ?? 0, attributes: event["attributes"]?.members ?? [])
        }
        links = (json["links"]?.array ?? []).compactMap { link in
            guard let trace = link["trace_id"]?.string, let span = link["span_id"]?.string else { return nil }
            return Link(traceID: trace, spanID: span, attributes: link["attributes"]?.members ?? [])
        }
    }

    init(
        traceHex: String, id: String, parent: String?, name: String, start: Int64, end: Int64?, status: Status, message: String,
        attributes: [Attribute], events: [Event], links: [Link]
    ) {
        self.traceHex = traceHex
        self.id = id
        self.parent = parent
        self.name = name
        self.start = start
        self.end = end
        self.status = status
        self.message = message
        self.attributes = attributes
        self.events = events
        self.links = links
    }
}

/// Ids of traces and spans as digits and as the bytes that travel.
package enum Hexadecimal {
    /// The digits of an id, put in front with zeros to a length.
    /// - Returns: `nil` when it is longer.
    static func digits(_ bytes: some Collection<UInt8>, count: Int) -> String? {
        let text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard text.count <= count else { return nil }
        return String(repeating: "0", count: count - text.count) + text
    }

    /// The digits of an id that is written as digits or as base64 of its bytes.
    static func id(_ text: String, digits count: Int) -> String? {
        if text.utf8.count == count, text.utf8.allSatisfy({ isDigit($0) }) { return text.lowercased() }
        guard let data = Data(base64Encoded: text), !data.isEmpty else { return nil }
        return digits(data, count: count)
    }

    static func bytes(_ digits: String) -> [UInt8]? {
        let text = Array(digits.utf8)
        guard text.count % 2 == 0, text.allSatisfy({ isDigit($0) }) else { return nil }
        return stride(from: 0, to: text.count, by: 2).map { UInt8(String(decoding: text[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0 }
    }

    package static func base64(_ digits: String) -> String { Data(bytes(digits) ?? []).base64EncodedString() }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
        default: false
        }
    }
}
