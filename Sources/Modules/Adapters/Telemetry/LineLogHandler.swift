package import Domain
package import Logging

/// Writes one line per fact, as text for a terminal or as JSON for a log collector.
///
/// The label of a logger is the role that speaks. Metadata is written in key order; values of keys that look secret
/// are replaced (see ``Redaction``).
package struct LineLogHandler: LogHandler {
    package enum Style: String, Sendable, CaseIterable { case text, json }

    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level
    private let role: String
    private let style: Style
    private let sink: LogSink
    private let now: @Sendable () -> EventTime.Milliseconds

    /// - Parameter now: Wall time in milliseconds since the Unix epoch.
    package init(
        role: String, level: Logger.Level, style: Style, sink: LogSink, now: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.role = role
        self.logLevel = level
        self.style = style
        self.sink = sink
        self.now = now
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = "\(String(describing: error))" }
        let facts = all.sorted { $0.key < $1.key }
        let message = Redaction.withoutUserInfo(event.message.description)
        switch style {
        case .text: sink(text(event.level, message, facts))
        case .json: sink(json(event.level, message, facts))
        }
    }

    /// `2026-01-31T12:00:00.000Z info  features  window closed  key=BTC/USD rows=3`
    private func text(_ level: Logger.Level, _ message: String, _ facts: [(key: String, value: Logger.MetadataValue)]) -> [UInt8] {
        let name = level.rawValue
        var line = EventTime.format(now()) + " " + name + String(repeating: " ", count: max(1, 9 - name.utf8.count)) + role + "  "
        line += Self.oneLine(message)
        for (index, fact) in facts.enumerated() {
            line += (index == 0 ? "  " : " ") + fact.key + "="
            let value = Redaction.isSecret(fact.key) ? Redaction.mark : Self.plain(fact.value)
            line += value.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) || value.isEmpty ? "\"\(value)\"" : value
        }
        return Array((line + "\n").utf8)
    }

    /// `{"time":"…","level":"info","role":"features","message":"…","metadata":{…}}`
    private func json(_ level: Logger.Level, _ message: String, _ facts: [(key: String, value: Logger.MetadataValue)]) -> [UInt8] {
        var line = JSONText.object([
            ("time", .string(EventTime.format(now()))), ("level", .string(level.rawValue)), ("role", .string(role)),
            ("message", .string(message)),
        ])
        if !facts.isEmpty {
            line.removeLast()
            line.append(contentsOf: ",\"metadata\":".utf8)
            Self.append(facts, to: &line)
            line.append(UInt8(ascii: "}"))
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func append(_ facts: [(key: String, value: Logger.MetadataValue)], to line: inout [UInt8]) {
        line.append(UInt8(ascii: "{"))
        for (index, fact) in facts.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            JSONText.append(fact.key, to: &line)
            line.append(UInt8(ascii: ":"))
            if Redaction.isSecret(fact.key) { JSONText.append(Redaction.mark, to: &line) } else { append(fact.value, to: &line) }
        }
        line.append(UInt8(ascii: "}"))
    }

    private static func append(_ value: Logger.MetadataValue, to line: inout [UInt8]) {
        switch value {
        case .string(let text): JSONText.append(Redaction.withoutUserInfo(text), to: &line)
        case .stringConvertible(let number as Int): JSONText.append(Int64(number), to: &line)
        case .stringConvertible(let number as Int64): JSONText.append(number, to: &line)
        case .stringConvertible(let number as Double) where number.isFinite: JSONText.append(number, to: &line)
        case .stringConvertible(let flag as Bool): JSONText.append(Value.bool(flag), to: &line)
        case .stringConvertible(let other): JSONText.append(Redaction.withoutUserInfo(other.description), to: &line)
        case .dictionary(let facts): append(facts.sorted { $0.key < $1.key }, to: &line)
        case .array(let values):
            line.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(value, to: &line)
            }
            line.append(UInt8(ascii: "]"))
        }
    }

    private static func plain(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): oneLine(Redaction.withoutUserInfo(text))
        case .stringConvertible(let other): oneLine(Redaction.withoutUserInfo(other.description))
        case .array(let values): "[" + values.map(plain).joined(separator: ",") + "]"
        case .dictionary(let facts):
            "{"
                + facts.sorted { $0.key < $1.key }
                .map { $0.key + ":" + (Redaction.isSecret($0.key) ? Redaction.mark : plain($0.value)) }.joined(separator: ",") + "}"
        }
    }

    /// A stranger's text cannot start a line of its own, nor steer a terminal.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                result.append(contentsOf: "\\n".unicodeScalars)
            } else {
                result.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar)
            }
        }
        return String(result)
    }
}
