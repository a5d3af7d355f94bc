import Domain
import Foundation

/// The time as HTTP writes it, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7), written once a second.
struct HTTPDate {
    private var second: Int64 = .min
    private var text = ""

    mutating func now() -> String { at(Int64(Date().timeIntervalSince1970)) }

    /// - Parameter second: Since the epoch.
    mutating func at(_ second: Int64) -> String {
        if second != self.second {
            self.second = second
            text = Self.format(second)
        }
        return text
    }

    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func format(_ second: Int64) -> String {
        let iso = EventTime.format(second * 1_000)
        let days = Int(second.flooredQuotient(by: 86_400)), month = Int(EventTime.civil(fromDays: Int64(days)).month)
        return "\(weekdays[(days % 7 + 7) % 7]), \(iso.dropFirst(8).prefix(2)) \(months[month - 1]) \(iso.prefix(4))"
            + " \(iso.dropFirst(11).prefix(8)) GMT"
    }
}
