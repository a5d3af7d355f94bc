/// An HTML table from rows of cells; numbers stand to the right.
package struct TableMarkup: Sendable {
    package struct Column: Sendable {
        package let title: HTML
        package let isNumeric: Bool

        package init(_ title: HTML, isNumeric: Bool = false) {
            self.title = title
            self.isNumeric = isNumeric
        }

        package static func text(_ title: String) -> Column { Column("\(title)") }
        package static func number(_ title: String) -> Column { Column("\(title)", isNumeric: true) }
    }

    package var columns: [Column]
    package var rows: [[HTML]]
    /// Shown instead of a table without rows.
    package var whenEmpty: String
    /// One line a row: long cells are cut, the table scrolls.
    package var isCompact = false

    package init(_ columns: [Column], rows: [[HTML]], whenEmpty: String = "Nothing here yet.") {
        self.columns = columns
        self.rows = rows
        self.whenEmpty = whenEmpty
    }

    package func render() -> HTML {
        guard !rows.isEmpty else { return "<p class=\"empty\">\(whenEmpty)</p>" }
        let head = columns.map { column -> HTML in
            column.isNumeric ? "<th scope=\"col\" class=\"number\">\(column.title)</th>" : "<th scope=\"col\">\(column.title)</th>"
        }
        let body = rows.map { row -> HTML in
            let cells = zip(row, columns).map { cell, column -> HTML in
                column.isNumeric ? "<td class=\"number\">\(cell)</td>" : "<td>\(cell)</td>"
            }
            return "<tr>\(cells)</tr>\n"
        }
        return
            "<div class=\"scroll\"><table\(isCompact ? " class=\"compact\"" : "" as HTML)><thead><tr>\(head)</tr></thead><tbody>\n\(body)</tbody></table></div>"
    }
}

/// Numbers as a person reads them.
package enum NumberText {
    /// At most `digits` significant digits, no trailing zeros: `0.0123`, `12.5`, `1.2e-07`.
    package static func short(_ value: Double, digits: Int = 5) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "−∞" : "∞" }
        if value == 0 { return "0" }
        let magnitude = abs(value)
        let exponent = Int(log10Floor(magnitude))
        if exponent < -4 || exponent >= 15 {
            let mantissa = value / power(10, exponent)
            return trimmed(mantissa, decimals: digits - 1) + "e" + String(exponent)
        }
        return trimmed(value, decimals: max(0, digits - 1 - exponent))
    }

    private static func trimmed(_ value: Double, decimals: Int) -> String {
        let scale = power(10, min(decimals, 15))
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 0x1p62 else { return value.description }
        let whole = UInt64(scaled)
        let unit = UInt64(scale)
        var text = String(whole / unit)
        if decimals > 0, whole % unit > 0 {
            let fraction = String(whole % unit)
            text += "." + String(repeating: "0", count: min(decimals, 15) - fraction.utf8.count) + fraction
            while text.last == "0" { text.removeLast() }
        }
        return (value < 0 && whole > 0 ? "-" : "") + text
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<abs(exponent) { result *= base }
        return exponent < 0 ? 1 / result : result
    }

    /// The exponent of the leading decimal digit.
    private static func log10Floor(_ magnitude: Double) -> Double {
        var exponent = 0.0
        var value = magnitude
        while value >= 10 {
            value /= 10
            exponent += 1
        }
        while value < 1 {
            value *= 10
            exponent -= 1
        }
        return exponent
    }

    /// `17 B`, `4.2 KB`, `1.5 GB`; powers of 1,000.
    package static func bytes(_ count: Int64) -> String {
        var value = Double(count)
        for unit in ["B", "KB", "MB", "GB"] {
            if value < 1_000 { return short(value, digits: 3) + " " + unit }
            value /= 1_000
        }
        return short(value, digits: 3) + " TB"
    }
}
