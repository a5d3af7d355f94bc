/// Durations as people write them: a whole number and a unit, `500ms 60s 10m 1h 1d`.
package enum DurationText {
    /// Milliseconds per unit, from the smallest.
    package static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000),
    ]

    /// - Returns: Milliseconds; `nil` when the text is not a duration or does not fit.
    package static func parse(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, let count = Int64(digits) else { return nil }
        return milliseconds(count, unit: String(text.dropFirst(digits.count)))
    }

    static func milliseconds(_ count: Int64, unit: String) -> Int64? {
        guard let factor = units.first(where: { $0.name == unit })?.milliseconds else { return nil }
        let (value, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
    }

    /// In the largest unit, up to days, that leaves no rest: `90s`, `10m`, `1d`.
    package static func format(_ milliseconds: Int64) -> String {
        for unit in units.reversed() where unit.name != "w" && milliseconds != 0 && milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        return "\(milliseconds)ms"
    }
}
