import Domain

/// The two ways in which a bucket tells the time.
enum S3Time {
    /// `2024-02-29T23:59:59.000Z`
    static func iso(_ text: String) -> EventTime.Milliseconds? { EventTime.parse(text) }

    /// `Thu, 29 Feb 2024 23:59:59 GMT`
    ///
    /// Source: RFC 9110, section 5.6.7.
    static func http(_ text: String) -> EventTime.Milliseconds? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: parts[2]), parts[1].utf8.count == 2 else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return EventTime.parse("\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z")
    }

    private static let months: [Substring] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
}
