package import Web

/// Spans as OpenTelemetry's exporters send them, in binary form or as JSON.
///
/// Source: <https://opentelemetry.io/docs/specs/otlp/>, messages `ExportTraceServiceRequest` and below.
package struct OTLPRequest: Sendable, Equatable {
    package enum Error: Swift.Error, Equatable {
        /// Not a message of this kind.
        case malformed
        /// A span without an id, or with times or ids that have no room.
        case unusableSpan
    }

    /// A span with what is known of the program that made it.
    package struct Received: Sendable, Equatable {
        package var span: TraceSpan
        package var resource: [JSONValue.Member]
    }

    package var spans: [Received] = []
    /// Whether the message names any program at all.
    package var isEmpty = true

    /// Nesting of attribute values beyond this is refused, so that a hostile message cannot exhaust the stack.
    static let maxDepth = 32

    /// - Parameter bytes: `ExportTraceServiceRequest` in binary form.
    package init(binary bytes: [UInt8]) throws(Error) {
        do throws(WireReader.Error) {
            var reader = WireReader(bytes[...])
            while let field = try reader.next() {
                guard field.number == 1 else { continue }
                isEmpty = false
                try addResource(try field.bytes())
            }
        } catch {
            throw .malformed
        }
        if hasUnusableSpan { throw .unusableSpan }
    }

    private var hasUnusableSpan = false

    private mutating func addResource(_ bytes: ArraySlice<UInt8>) throws(WireReader.Error) {
        var resource: [JSONValue.Member] = [], scopes: [ArraySlice<UInt8>] = []
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1:
                var inner = WireReader(try field.bytes())
                while let field = try inner.next() {
                    if field.number == 1 { resource.append(try Self.pair(try field.bytes())) }
                }
            case 2: scopes.append(try field.bytes())
            default: continue
            }
        }
        for scope in scopes {
            var reader = WireReader(scope)
            while let field = try reader.next() {
                guard field.number == 2 else { continue }
                try addSpan(try field.bytes(), resource)
            }
        }
    }

    private mutating func addSpan(_ bytes: ArraySlice<UInt8>, _ resource: [JSONValue.Member]) throws(WireReader.Error) {
        var draft = SpanDraft()
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: draft.trace = Array(try field.bytes())
            case 2: draft.id = Array(try field.bytes())
            case 4: draft.parent = Array(try field.bytes())
            case 5: draft.name = try field.text()
            case 7: draft.start = try field.fixed64()
            case 8: draft.end = try field.fixed64()
            case 9: draft.attributes.append(try Self.pair(try field.bytes()))
            case 11: draft.events.append(try Self.event(try field.bytes()))
            case 13: draft.links.append(try Self.link(try field.bytes()))
            case 15: try Self.status(try field.bytes(), &draft)
            default: continue
            }
        }
        guard let span = draft.span else {
            hasUnusableSpan = true
            return
        }
        spans.append(Received(span: span, resource: resource))
    }

    private static func event(_ bytes: ArraySlice<UInt8>) throws(WireReader.Error) -> SpanDraft.Event {
        var event = SpanDraft.Event()
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: event.time = try field.fixed64()
            case 2: event.name = try field.text()
            case 3: event.attributes.append(try pair(try field.bytes()))
            default: continue
            }
        }
        return event
    }

    private static func link(_ bytes: ArraySlice<UInt8>) throws(WireReader.Error) -> SpanDraft.Link {
        var link = SpanDraft.Link()
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: link.trace = Array(try field.bytes())
            case 2: link.span = Array(try field.bytes())
            case 4: link.attributes.append(try pair(try field.bytes()))
            default: continue
            }
        }
        return link
    }

    private static func status(_ bytes: ArraySlice<UInt8>, _ draft: inout SpanDraft) throws(WireReader.Error) {
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 2: draft.message = try field.text()
            case 3: draft.setStatus(Int64(bitPattern: try field.uint()))
            default: continue
            }
        }
    }

    // MARK: Values

    private static func pair(_ bytes: ArraySlice<UInt8>, depth: Int = 0) throws(WireReader.Error) -> JSONValue.Member {
        var key = "", value = JSONValue.null
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: key = try field.text()
            case 2: value = try anyValue(try field.bytes(), depth: depth)
            default: continue
            }
        }
        return JSONValue.Member(key, value)
    }

    private static func anyValue(_ bytes: ArraySlice<UInt8>, depth: Int) throws(WireReader.Error) -> JSONValue {
        guard depth < maxDepth else { throw .tooDeep }
        var value = JSONValue.null
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: value = .string(try field.text())
            case 2: value = .bool(try field.uint() != 0)
            case 3: value = .int(Int64(bitPattern: try field.uint()))
            case 4: value = .double(Double(bitPattern: try field.fixed64()))
            case 5:
                var values: [JSONValue] = []
                var inner = WireReader(try field.bytes())
                while let field = try inner.next() {
                    if field.number == 1 { values.append(try anyValue(try field.bytes(), depth: depth + 1)) }
                }
                value = .array(values)
            case 6:
                var members: [JSONValue.Member] = []
                var inner = WireReader(try field.bytes())
                while let field = try inner.next() {
                    if field.number == 1 { members.append(try pair(try field.bytes(), depth: depth + 1)) }
                }
                value = .object(members)
            case 7: value = .string(PythonJSON.bytes(try field.bytes()))
            default: continue
            }
        }
        return value
    }
}

extension OTLPRequest {
    /// - Parameter json: The same message as JSON; ids are hexadecimal digits there, 64-bit numbers may be texts.
    package init(json: JSONValue) throws(Error) {
        guard case .object = json else { throw .malformed }
        for resource in try Self.list(json, "resourceSpans") {
            isEmpty = false
            let about = try Self.pairs(resource["resource"] ?? .object([]), "attributes")
            for scope in try Self.list(resource, "scopeSpans") {
                for span in try Self.list(scope, "spans") {
                    guard let made = try Self.draft(span).span else { throw .unusableSpan }
                    spans.append(Received(span: made, resource: about))
                }
            }
        }
    }

    private static func draft(_ json: JSONValue) throws(Error) -> SpanDraft {
        var draft = SpanDraft()
        draft.trace = try bytes(json, "traceId")
        draft.id = try bytes(json, "spanId")
        draft.parent = try bytes(json, "parentSpanId")
        draft.name = json["name"]?.string ?? ""
        draft.start = try time(json, "startTimeUnixNano")
        draft.end = try time(json, "endTimeUnixNano")
        draft.attributes = try pairs(json, "attributes")
        for event in try list(json, "events") {
            draft.events.append(
                .init(time: try time(event, "timeUnixNano"), name: event["name"]?.string ?? "", attributes: try pairs(event, "attributes")))
        }
        for link in try list(json, "links") {
            draft.links.append(
                .init(trace: try bytes(link, "traceId"), span: try bytes(link, "spanId"), attributes: try pairs(link, "attributes")))
        }
        draft.message = json["status"]?["message"]?.string ?? ""
        let code = json["status"]?["code"]
        switch code?.string {
        case "STATUS_CODE_OK": draft.setStatus(1)
        case "STATUS_CODE_ERROR": draft.setStatus(2)
        default: draft.setStatus(code?.int64 ?? 0)
        }
        return draft
    }

    private static func list(_ json: JSONValue, _ name: String) throws(Error) -> [JSONValue] {
        guard let value = json[name], value != .null else { return [] }
        guard let values = value.array else { throw .malformed }
        return values
    }

    private static func bytes(_ json: JSONValue, _ name: String) throws(Error) -> [UInt8] {
        guard let value = json[name], value != .null else { return [] }
        guard let text = value.string, let bytes = Hexadecimal.bytes(text) else { throw .malformed }
        return bytes
    }

    private static func time(_ json: JSONValue, _ name: String) throws(Error) -> UInt64 {
        guard let value = json[name], value != .null else { return 0 }
        guard let number = value.int64, number >= 0 else { throw .malformed }
        return UInt64(number)
    }

    static func pairs(_ json: JSONValue, _ name: String) throws(Error) -> [JSONValue.Member] {
        var pairs: [JSONValue.Member] = []
        for pair in try list(json, name) {
            guard let key = pair["key"]?.string else { throw .malformed }
            pairs.append(.init(key, try anyValue(pair["value"] ?? .null, depth: 0)))
        }
        return pairs
    }

    private static func anyValue(_ json: JSONValue, depth: Int) throws(Error) -> JSONValue {
        guard depth < maxDepth else { throw .malformed }
        guard let member = json.members?.first else { return .null }
        // Servers answer with the names of the fields, exporters send them in camel case.
        switch (member.key.replacing("_value", with: "Value"), member.value) {
        case ("stringValue", .string), ("boolValue", .bool): return member.value
        case ("intValue", let value):
            guard let number = value.int64 else { throw .malformed }
            return .int(number)
        case ("doubleValue", let value):
            guard let number = value.number else { throw .malformed }
            return .double(number)
        case ("bytesValue", .string(let text)): return .string(text)
        case ("arrayValue", let value):
            var values: [JSONValue] = []
            for element in try list(value, "values") { values.append(try anyValue(element, depth: depth + 1)) }
            return .array(values)
        case ("kvlistValue", let value):
            var members: [JSONValue.Member] = []
            for pair in try list(value, "values") {
                guard let key = pair["key"]?.string else { throw .malformed }
                members.append(.init(key, try anyValue(pair["value"] ?? .null, depth: depth + 1)))
            }
            return .object(members)
        default: throw .malformed
        }
    }
}
