/// Event time: when something happened, in milliseconds since the Unix epoch (UTC).
///
/// The bare integer is what travels in records, windows and tables; this namespace holds what is true of
/// it everywhere: the accepted range and the ISO 8601 text form.
package enum EventTime {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    package typealias Milliseconds = Int64

    /// Accepted times, years 0001 to 9999: adding a window length to one of them cannot overflow, so a
    /// stranger's timestamp cannot trap.
    package static let range: ClosedRange<Milliseconds> = -62_135_596_800_000...253_402_300_799_999

    /// Parses `2023-07-06T18:53:17.827736Z`, `2023-07-06 18:53:17`, `2023-07-06T18:53:17+02:00` or `2023-07-06`.
    ///
    /// Text without an offset is UTC. Digits beyond the millisecond are dropped, not rounded, so that a
    /// trade never moves into the next window.
    /// - Returns: `nil` unless the whole text is one valid time inside ``range``.
    package static func parse(_ text: some StringProtocol) -> Milliseconds? {
        var scanner = DigitScanner(text.utf8)
        guard let year = scanner.digits(4), scanner.take("-"), let month = scanner.digits(2), scanner.take("-"),
            let day = scanner.digits(2), (1...12).contains(month), day >= 1, day <= daysIn(month: month, year: year)
        else { return nil }
        var milliseconds = daysFromEpoch(year: year, month: month, day: day) * 86_400_000
        if !scanner.isAtEnd {
            guard scanner.take("T") || scanner.take(" ") || scanner.take("t"), let time = scanner.timeOfDay() else { return nil }
            milliseconds += time
            guard let offset = scanner.offset(), scanner.isAtEnd else { return nil }
            milliseconds -= offset
        }
        return range.contains(milliseconds) ? milliseconds : nil
    }

    /// `2023-07-06T18:53:17.827Z`; the fraction is left out when it is zero.
    package static func format(_ time: Milliseconds) -> String {
        let days = time.flooredQuotient(by: 86_400_000)
        let rest = time - days * 86_400_000
        let (year, month, day) = civil(fromDays: days)
        let text =
            "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(rest / 3_600_000, 2)):\(pad(rest / 60_000 % 60, 2)):\(pad(rest / 1_000 % 60, 2))"
        let fraction = rest % 1_000
        return fraction == 0 ? text + "Z" : text + ".\(pad(fraction, 3))Z"
    }

    /// Days since the epoch of a date in the proleptic Gregorian calendar.
    ///
    /// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", <https://howardhinnant.github.io/date_algorithms.html>.
    package static func daysFromEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = y.flooredQuotient(by: 400)
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The date of a number of days since the epoch; the inverse of ``daysFromEpoch(year:month:day:)``.
    package static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = z.flooredQuotient(by: 146_097)
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension Int64 {
    /// Division that rounds towards negative infinity, so that times before 1970 fall in the right window.
    package func flooredQuotient(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

private struct DigitScanner {
    private var bytes: ArraySlice<UInt8>

    init(_ utf8: some Sequence<UInt8>) { bytes = Array(utf8)[...] }

    var isAtEnd: Bool { bytes.isEmpty }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard bytes.first == UInt8(ascii: character) else { return false }
        bytes.removeFirst()
        return true
    }

    mutating func digits(_ count: Int) -> Int64? {
        guard bytes.count >= count else { return nil }
        var value: Int64 = 0
        for byte in bytes.prefix(count) {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        bytes.removeFirst(count)
        return value
    }

    /// `HH:MM[:SS[.fraction]]` in milliseconds.
    mutating func timeOfDay() -> Int64? {
        guard let hour = digits(2), hour < 24, take(":"), let minute = digits(2), minute < 60 else { return nil }
        var total = (hour * 60 + minute) * 60_000
        guard take(":") else { return total }
        guard let second = digits(2), second < 60 else { return nil }
        total += second * 1_000
        guard take(".") else { return total }
        var scale: Int64 = 100
        guard let first = digits(1) else { return nil }
        total += first * scale
        while let digit = digits(1) {
            scale /= 10
            total += digit * scale
        }
        return total
    }

    /// `Z`, `+02:00`, `-0530` or nothing, in milliseconds east of UTC.
    mutating func offset() -> Int64? {
        if isAtEnd || take("Z") || take("z") { return 0 }
        let sign: Int64 = take("+") ? 1 : take("-") ? -1 : 0
        guard sign != 0, let hours = digits(2), hours < 24 else { return nil }
        _ = take(":")
        guard let minutes = isAtEnd ? 0 : digits(2), minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes) * 60_000
    }
}
