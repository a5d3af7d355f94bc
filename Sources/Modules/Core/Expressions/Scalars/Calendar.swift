import Domain

extension ScalarFunction {
    /// Functions of time. A time is a `time` column or an int of milliseconds since the Unix epoch; all is UTC.
    static let calendar: [ScalarFunction] = [
        part("hour(time)", "The hour of the day, 0 to 23, UTC.") { ($0 - $0.flooredQuotient(by: 86_400_000) * 86_400_000) / 3_600_000 },
        // 1970-01-01 was a Thursday, day 3 of a week that begins on Monday.
        part("weekday(time)", "The day of the week, Monday 0 to Sunday 6, UTC.") { time in
            let day = time.flooredQuotient(by: 86_400_000) + 3
            return day - day.flooredQuotient(by: 7) * 7
        },
        ScalarFunction("minutes(duration)", "Milliseconds, such as the difference of two times, as minutes.") { types throws(Mismatch) in
            if types[0] == .time { throw Mismatch("expects a duration such as \"end - start\", not a time", argument: 0) }
            try requireNumber(types[0], argument: 0)
            return Resolution(arguments: [.double], result: .double) { arguments, _, _ in
                Vector(doubles: arguments[0].doubles.map { $0 / 60_000 }, nulls: arguments[0].nulls)
            }
        },
    ]

    private static func part(_ usage: String, _ summary: String, _ body: @escaping @Sendable (Int64) -> Int64) -> ScalarFunction {
        ScalarFunction(usage, summary) { types throws(Mismatch) in
            let type = types[0] ?? .time
            guard type == .time || type == .int else { throw Mismatch("expects a time, not \(type.named)", argument: 0) }
            return Resolution(arguments: [type], result: .int) { arguments, _, _ in
                Vector(ints: arguments[0].ints.map(body), nulls: arguments[0].nulls)
            }
        }
    }
}
