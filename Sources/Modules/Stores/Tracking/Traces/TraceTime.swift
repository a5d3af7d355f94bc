package import Domain

/// Times of traces as protocol buffers write them in JSON: three decimals, or none when they are zero.
package enum TraceTime {
    package static func text(_ time: EventTime.Milliseconds) -> String {
        guard EventTime.range.contains(time) else { return EventTime.format(0) }
        let rest = ((time % 1_000) + 1_000) % 1_000
        return String(EventTime.format(time).prefix(19)) + (rest == 0 ? "" : "." + padded(rest)) + "Z"
    }

    /// - Returns: `nil` for text that is no time.
    package static func milliseconds(_ text: String) -> EventTime.Milliseconds? {
        // Finer decimals than anybody can compare are left off.
        guard let dot = text.firstIndex(of: ".") else { return EventTime.parse(text) }
        let end = text[dot...].dropFirst().prefix { ("0"..."9").contains($0) }.endIndex
        let decimals = text[dot..<end].dropFirst()
        guard (1...9).contains(decimals.count) else { return nil }
        return EventTime.parse(text[..<dot] + "." + (decimals + "00").prefix(3) + text[end...])
    }

    /// `1.500s`
    package static func duration(_ milliseconds: Int64) -> String {
        let size = milliseconds.magnitude, rest = Int64(size % 1_000)
        return (milliseconds < 0 ? "-" : "") + String(size / 1_000) + (rest == 0 ? "" : "." + padded(rest)) + "s"
    }

    /// - Returns: `nil` for text that is no duration.
    package static func milliseconds(ofDuration text: String) -> Int64? {
        guard text.hasSuffix("s") else { return nil }
        let body = text.dropLast(), parts = body.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = Int64(parts[0]), whole.magnitude <= 315_576_000_000 else { return nil }
        var rest: Int64 = 0
        if parts.count == 2 {
            guard (1...9).contains(parts[1].count), parts[1].allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
            rest = Int64((parts[1] + "00").prefix(3)) ?? 0
        }
        return whole * 1_000 + (body.hasPrefix("-") ? -rest : rest)
    }

    private static func padded(_ rest: Int64) -> String { String(String(rest + 1_000).dropFirst()) }
}
