import Domain
import Testing

@Suite struct EventTimeTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01", 0), ("2023-07-06T18:53:17.827736Z", 1_688_669_597_827),
            ("2023-07-06 18:53:17", 1_688_669_597_000), ("2023-07-06T20:53:17+02:00", 1_688_669_597_000),
            ("2023-07-06T13:23:17-0530", 1_688_669_597_000), ("1969-12-31T23:59:59.999Z", -1), ("2024-02-29T00:00Z", 1_709_164_800_000),
        ] as [(String, Int64)])
    func `ISO 8601 text reads as milliseconds since the epoch`(text: String, time: Int64) {
        #expect(EventTime.parse(text) == time)
    }

    @Test(arguments: [
        "", "2023", "2023-13-01", "2023-02-29", "2023-00-10", "2023-01-32", "2023-07-06T24:00:00Z", "2023-07-06T18:53:17.Z",
        "2023-07-06T18:53:17Zx", "2023-07-06T18", "yesterday", "2023-07-06T18:53:17+25:00", "0000-01-01",
    ])
    func `text that is not one valid time reads as nothing`(text: String) {
        #expect(EventTime.parse(text) == nil)
    }

    @Test func `formatting and parsing are inverse over the whole range`() {
        var random = RandomSource(seed: 1)
        for _ in 0..<2_000 {
            let span = UInt64(EventTime.range.upperBound - EventTime.range.lowerBound)
            let time = EventTime.range.lowerBound + Int64(random.next() % span)
            #expect(EventTime.parse(EventTime.format(time)) == time)
        }
        #expect(EventTime.format(1_688_669_597_827) == "2023-07-06T18:53:17.827Z")
        #expect(EventTime.format(0) == "1970-01-01T00:00:00Z")
    }

    @Test(arguments: [(7, 3, 2), (-7, 3, -3), (-6, 3, -2), (0, 3, 0), (-1, 60_000, -1)] as [(Int64, Int64, Int64)])
    func `floored division rounds towards negative infinity`(value: Int64, divisor: Int64, quotient: Int64) {
        #expect(value.flooredQuotient(by: divisor) == quotient)
    }
}
