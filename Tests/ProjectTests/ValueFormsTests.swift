import Learning
import Testing

@testable import Project

struct ValueFormsTests {
    @Test(arguments: [("200/s", 200.0), ("12000/m", 200), ("7200/h", 2), ("0.5/s", 0.5)])
    func `a rate is a number per unit of time`(text: String, perSecond: Double) {
        #expect(ValueForms.rate(text) == perSecond)
    }

    @Test(arguments: ["200", "200/d", "0/s", "-1/s", "/s", "200/s/s", "fast/s", "1e400/s"])
    func `anything else is no rate`(text: String) {
        #expect(ValueForms.rate(text) == nil)
    }

    @Test func `a range has a scale and two ends, a number alone has none`() throws {
        let log = try #require(ValueForms.range("log(1e-4, 100)"))
        #expect(log.scale == .log && log.lower == 1e-4 && log.upper == 100)
        let whole = try #require(ValueForms.range("int( 2 ,10)"))
        #expect(whole.scale == .int && whole.lower == 2 && whole.upper == 10)
        let fixed = try #require(ValueForms.range("0.3"))
        #expect(fixed.scale == nil && fixed.lower == 0.3 && fixed.upper == 0.3)
    }

    @Test(arguments: ["log(1)", "log(1, 2, 3)", "normal(0, 1)", "int(a, b)", "log 1, 2", "(1, 2)", ""])
    func `anything else is no range`(text: String) {
        #expect(ValueForms.range(text) == nil)
    }

    @Test(arguments: ["nan", "inf", "0x10", "1_000", "", "-", ".", "1e", "1e999", " 1"])
    func `what only resembles a number is none`(text: String) {
        #expect(ValueForms.number(text) == nil)
    }

    @Test(arguments: [("5", 5), ("-5", -5), ("9223372036854775807", Int64.max)] as [(String, Int64)])
    func `a whole number is digits`(text: String, value: Int64) {
        #expect(ValueForms.integer(text) == value)
    }

    @Test(arguments: ["+5", "5.0", "5e3", "", "-", "9223372036854775808", "٣"])
    func `anything else is no whole number`(text: String) {
        #expect(ValueForms.integer(text) == nil)
    }

    @Test(arguments: ["", ".", "..", "a b", "a/b", "é", String(repeating: "a", count: 201)])
    func `what would not be safe in a path or a topic is no name`(text: String) {
        #expect(!ValueForms.isName(text))
    }
}
