/// Lines of a plan: headings and aligned columns under them.
struct PlanPage {
    private(set) var text = ""

    mutating func heading(_ title: String, _ facts: String = "") {
        if !text.isEmpty { text += "\n" }
        text += facts.isEmpty ? title + "\n" : "\(title): \(facts)\n"
    }

    mutating func line(_ line: String) { text += "  \(line)\n" }

    /// Columns as wide as their widest cell; the last one ends where it ends.
    mutating func rows(_ rows: [[String]]) {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        for row in rows {
            var line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            self.line(line)
        }
    }

    /// Without a needless fraction: `7`, `0.5`.
    static func number(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : String(number)
    }
}
