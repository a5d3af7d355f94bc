package import Domain
import Expressions

/// A TCP port; 0 lets the system choose.
package struct Port: Sendable, Hashable, CustomStringConvertible {
    package let number: Int

    /// - Returns: `nil` outside 0…65535.
    package init?(_ number: Int) {
        guard (0...65_535).contains(number) else { return nil }
        self.number = number
    }

    private init(known number: UInt16) { self.number = Int(number) }

    package static func known(_ number: UInt16) -> Port { Port(known: number) }

    package var description: String { String(number) }
}

/// Text that must not be shown.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself, for the one place that needs it.
    package let revealed: String

    package init(_ text: String) { revealed = text }

    package var description: String { "[redacted]" }
    package var debugDescription: String { "[redacted]" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension SettingForm where Value == Port {
    package static var port: Self {
        SettingForm("a port from 0 to 65535", parse: { plainInteger($0).flatMap { Port(Int($0)) } }, write: { String($0.number) })
    }
}

extension SettingForm where Value == EventTime.Milliseconds {
    package static func duration(_ range: ClosedRange<EventTime.Milliseconds>) -> Self {
        let bounds = "\(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
        return SettingForm(
            "a duration from \(bounds), such as 500ms, 60s, 10m, 1h or 1d",
            parse: { DurationText.parse($0).flatMap { range.contains($0) ? $0 : nil } }, write: DurationText.format)
    }
}

extension SettingForm where Value == Int {
    package static func count(_ range: ClosedRange<Int>) -> Self {
        SettingForm(
            "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { plainInteger($0).flatMap { Int(exactly: $0) }.flatMap { range.contains($0) ? $0 : nil } },
            write: { String($0) })
    }
}

extension SettingForm where Value == UInt64 {
    package static var seed: Self {
        SettingForm("a whole number from 0", parse: { $0.allSatisfy(\.isWholeNumber) ? UInt64($0) : nil }, write: { String($0) })
    }
}

extension SettingForm where Value == Double {
    package static var seconds: Self {
        SettingForm(
            "a positive number of seconds", parse: { Double($0).flatMap { $0 > 0 && $0.isFinite ? $0 : nil } },
            write: { String($0) })
    }
}

extension SettingForm where Value == Bool {
    package static var flag: Self {
        SettingForm("true or false", parse: { $0 == "true" ? true : $0 == "false" ? false : nil }, write: { String($0) })
    }
}

extension SettingForm where Value == String {
    /// A host name or an address to listen on.
    package static var host: Self {
        SettingForm("a host name or an IP address", parse: { isHost($0) ? $0 : nil }, write: { $0 })
    }

    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy {
                ($0 >= 48 && $0 <= 57) || ($0 | 32 >= 97 && $0 | 32 <= 122) || [45, 46, 58, 95].contains($0)
            }
    }

    package static var logURL: Self {
        SettingForm(
            "the URL of an event log, local:DIRECTORY or kafka://HOST:PORT[,HOST:PORT]",
            parse: { ["local:", "kafka://"].contains(where: $0.hasStrictPrefix) ? $0 : nil }, write: { $0 })
    }

    /// A path, a name: anything that is not empty.
    package static func text(_ expected: String) -> Self {
        SettingForm(expected, parse: { $0.isEmpty ? nil : $0 }, write: { $0 })
    }

    /// Of a file on this machine.
    package static var path: Self {
        SettingForm("a path", parse: { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 }, write: { $0 })
    }

    /// A directory on this machine, or a bucket: the value begins with `file:` or `s3://`.
    package static var objectsURL: Self {
        SettingForm(
            "a directory or s3://BUCKET/PREFIX",
            parse: { text in
                if text.hasStrictPrefix("s3://") || text.hasStrictPrefix("file:") { return text }
                return text.isEmpty || text.utf8.contains(0) || text.contains("://") ? nil : "file:" + text
            }, write: { $0 })
    }

    package static var httpURL: Self {
        SettingForm(
            "an HTTP URL such as http://127.0.0.1:5000",
            parse: { text in
                let rest = ["http://", "https://"].first(where: text.hasPrefix).map { text.dropFirst($0.count) } ?? ""
                guard let first = rest.first, first != "/", !text.contains(where: \.isWhitespace) else { return nil }
                return text.hasSuffix("/") ? String(text.dropLast()) : text
            }, write: { $0 })
    }
}

extension SettingForm where Value == [String] {
    /// Names separated by commas; the empty text is no name.
    package static var names: Self {
        SettingForm(
            "names separated by commas",
            parse: { text in
                let names = text.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmed }
                if names == [""] { return [] }
                return names.contains("") ? nil : names
            }, write: { $0.joined(separator: ",") })
    }
}

extension SettingForm where Value == Secret {
    package static var secret: Self {
        SettingForm("a secret that is not empty", parse: { $0.isEmpty ? nil : Secret($0) }, write: { $0.description })
    }
}

extension SettingForm where Value: CaseIterable & RawRepresentable<String> {
    /// One of an enumeration's raw values.
    package static var choice: Self {
        SettingForm(
            "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "), parse: { Value(rawValue: $0) }, write: { $0.rawValue })
    }
}

extension String {
    fileprivate func hasStrictPrefix(_ prefix: String) -> Bool { hasPrefix(prefix) && utf8.count > prefix.utf8.count }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}

/// Digits with an optional minus; `+5`, `5.0` and ` 5` are something else.
private func plainInteger(_ text: String) -> Int64? {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
    return Int64(text)
}
