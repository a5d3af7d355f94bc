import Domain
import Tracking
import Web

/// Small pieces that many pages show.
enum Piece {
    // MARK: Times

    /// How long ago, with the exact time for who points at it.
    static func ago(_ time: EventTime.Milliseconds, now: EventTime.Milliseconds) -> HTML {
        guard EventTime.range.contains(time) else { return .empty }
        let exact = exact(time)
        return "<time datetime=\"\(EventTime.format(time))\" title=\"\(exact) UTC\">\(relative(time, now: now))</time>"
    }

    static func moment(_ time: EventTime.Milliseconds) -> HTML {
        guard EventTime.range.contains(time) else { return .empty }
        return "<time datetime=\"\(EventTime.format(time))\">\(exact(time)) UTC</time>"
    }

    /// A moment and how long ago it was.
    static func momentAgo(_ time: EventTime.Milliseconds, now: EventTime.Milliseconds) -> HTML {
        guard EventTime.range.contains(time) else { return .empty }
        return "\(moment(time)) <span class=\"dim\">(\(relative(time, now: now)))</span>"
    }

    /// `2024-03-01 12:00:00`
    static func exact(_ time: EventTime.Milliseconds) -> String {
        String(EventTime.format(time).prefix(19)).replacing("T", with: " ")
    }

    /// `12 s ago`, `3 h ago`, and after a month the date. A time ahead of the clock shows as a date too; one that
    /// no calendar has shows as nothing.
    static func relative(_ time: EventTime.Milliseconds, now: EventTime.Milliseconds) -> String {
        // A client states any number as a time: between two of them there may be more than a number holds.
        guard EventTime.range.contains(time), EventTime.range.contains(now) else { return "" }
        let seconds = (now - time).flooredQuotient(by: 1_000)
        switch seconds {
        case -5..<2: return "just now"
        case 2..<60: return "\(seconds) s ago"
        case 60..<3_600: return "\(seconds / 60) min ago"
        case 3_600..<86_400: return "\(seconds / 3_600) h ago"
        case 86_400..<(30 * 86_400): return "\(seconds / 86_400) d ago"
        default: return String(EventTime.format(time).prefix(10))
        }
    }

    /// `350 ms`, `12.3 s`, `4 min 10 s`, `3 h 20 min`, `2 d 4 h`
    static func span(milliseconds: Int64) -> String {
        let seconds = milliseconds / 1_000
        switch milliseconds {
        case ..<0: return ""
        case 0..<1_000: return "\(milliseconds) ms"
        case 1_000..<60_000: return NumberText.short(Double(milliseconds / 100) / 10, digits: 3) + " s"
        case 60_000..<3_600_000: return "\(seconds / 60) min" + (seconds % 60 > 0 ? " \(seconds % 60) s" : "")
        case 3_600_000..<86_400_000: return "\(seconds / 3_600) h" + (seconds / 60 % 60 > 0 ? " \(seconds / 60 % 60) min" : "")
        default: return "\(seconds / 86_400) d" + (seconds / 3_600 % 24 > 0 ? " \(seconds / 3_600 % 24) h" : "")
        }
    }

    /// The same of shorter stretches: `840 ns`, `12.5 µs`, `3.2 ms`.
    static func precise(nanoseconds: Int64) -> String {
        switch nanoseconds {
        case ..<0: ""
        case 0..<1_000: "\(nanoseconds) ns"
        case 1_000..<1_000_000: NumberText.short(Double(nanoseconds) / 1e3, digits: 3) + " µs"
        case 1_000_000..<1_000_000_000: NumberText.short(Double(nanoseconds) / 1e6, digits: 3) + " ms"
        default: span(milliseconds: nanoseconds / 1_000_000)
        }
    }

    /// How long a run took; how long it has been going when it still is.
    static func duration(_ info: RunInfo, now: EventTime.Milliseconds) -> String {
        let end = info.endTime ?? (info.status == .running ? now : nil)
        guard let end, end >= info.startTime, info.startTime >= 0 else { return "" }
        return span(milliseconds: end - info.startTime)
    }

    // MARK: Words

    static func status(_ status: RunStatus) -> HTML {
        let word = status.rawValue.lowercased()
        return "<span class=\"status \(word)\">\(word)</span>"
    }

    /// Text that a narrow place cuts; whole for who points at it.
    static func clip(_ text: String) -> HTML {
        let short = text.count > 120 ? text.prefix(119) + "…" : text[...]
        guard text.count > 28 else { return "\(text)" }
        return "<span class=\"clip\" title=\"\(String(text.prefix(2_000)))\">\(String(short))</span>"
    }

    /// A logged text; a number with more digits than one reads is rounded, whole for who points at it.
    static func value(_ text: String) -> HTML {
        guard text.utf8.count > 9, let number = Double(text), number.isFinite, text.contains(where: { ".eE".contains($0) }) else {
            return clip(text)
        }
        return "<span title=\"\(text)\">\(NumberText.short(number, digits: 6))</span>"
    }

    static func tag(_ tag: KeyValue) -> HTML {
        let text = tag.value.isEmpty ? tag.key : "\(tag.key): \(tag.value)"
        return "<span class=\"tag\" title=\"\(String(text.prefix(2_000)))\">\(String(text.prefix(80)))</span>"
    }

    /// What people tag with; what clients note for themselves stays out.
    static func tags(_ tags: [KeyValue]) -> HTML { tags.filter { !$0.key.hasPrefix("mlflow.") }.map { tag($0) }.joined() }

    static func alias(_ alias: String) -> HTML { "<span class=\"tag alias\">@\(alias)</span>" }

    static func version(_ model: String, _ number: Int) -> HTML {
        "<a href=\"/models/\(URLText.encode(model))/versions/\(number)\">\(model) v\(number)</a>"
    }

    static func run(_ id: String, name: String? = nil) -> HTML {
        name.map { "<a href=\"/runs/\(URLText.encode(id))\">\(clip($0))</a>" }
            ?? "<a href=\"/runs/\(URLText.encode(id))\"><code>\(String(id.prefix(8)))</code></a>"
    }

    static func description(_ tags: [KeyValue]) -> HTML { note(tags.first { $0.key == "mlflow.note.content" }?.value ?? "") }

    static func note(_ markdown: String) -> HTML {
        markdown.isEmpty ? .empty : "<div class=\"note\">\(MarkdownText.html(markdown))</div>"
    }

    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(grouped(number)) \(number == 1 ? one : many ?? one + "s")"
    }

    /// `12,345`
    static func grouped(_ number: Int) -> String {
        var digits = String(number.magnitude)[...], groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits = digits.dropLast(3)
        }
        return (number < 0 ? "-" : "") + ([String(digits)] + groups).joined(separator: ",")
    }

    // MARK: Parts of pages

    struct Tab {
        let title: String
        let target: String
        let isCurrent: Bool
    }

    static func tabs(_ tabs: [Tab]) -> HTML {
        let links = tabs.map { tab -> HTML in
            "<a href=\"\(tab.target)\"\(tab.isCurrent ? " aria-current=\"page\"" : "" as HTML)>\(tab.title)</a>"
        }
        return "<nav class=\"tabs\" aria-label=\"Views\">\(links)</nav>"
    }

    /// Names and values below each other.
    static func facts(_ facts: [(name: String, value: HTML)]) -> HTML {
        let rows = facts.filter { !$0.value.isEmpty }.map { fact -> HTML in
            "<tr><th scope=\"row\">\(fact.name)</th><td>\(fact.value)</td></tr>"
        }
        return rows.isEmpty ? .empty : "<table class=\"facts\"><tbody>\(rows)</tbody></table>"
    }

    static func section(_ title: String, _ body: HTML) -> HTML { body.isEmpty ? .empty : "<section><h2>\(title)</h2>\(body)</section>" }

    /// A way to the next page and back to the first.
    static func pager(_ query: PageQuery, next: String?, token: String = "page", around: HTML = .empty) -> HTML {
        let isFirst = query[token].isEmpty
        guard next != nil || !isFirst || !around.isEmpty else { return .empty }
        let first: HTML = isFirst ? .empty : "<a class=\"button\" href=\"\(query.without(token).address)\">First page</a>"
        let more: HTML =
            next.map { "<a class=\"button\" rel=\"next\" href=\"\(query.setting(token, $0).address)\">Next page</a>" } ?? .empty
        return "<nav class=\"pager\" aria-label=\"Pages\">\(first)\(more)<span>\(around)</span></nav>"
    }

    static func option(_ value: String, _ title: String, chosen: String) -> HTML {
        "<option value=\"\(value)\"\(value == chosen ? " selected" : "" as HTML)>\(title)</option>"
    }
}
