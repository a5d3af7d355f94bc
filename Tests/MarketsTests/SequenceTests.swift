import Testing
import Web

@testable import Markets

@Suite struct TradeSequenceTests {
    private func trade(_ id: Int64, _ pair: String = "A/B") -> MarketTrade {
        MarketTrade(pair: pair, id: id, price: 1, quantity: 1, side: .buy, nanoseconds: id * 1_000)
    }

    @Test func `a pair begins with whatever comes first, and then each number comes once`() {
        var sequence = TradeSequence()
        let step = sequence.take([trade(7), trade(8), trade(7), trade(8), trade(9), trade(3, "C/D")])
        #expect(step.accepted.map(\.id) == [7, 8, 9, 3] && step.repeats == 2 && step.gap == nil)
        #expect(sequence.books["A/B"] == BookPosition(id: 9, nanoseconds: 9_000))
    }

    @Test func `a missing number stops the sequence until it is filled`() {
        var sequence = TradeSequence(books: ["A/B": BookPosition(id: 5, nanoseconds: 5_000)])
        let step = sequence.take([trade(6), trade(9), trade(10)])
        let gap = TradeSequence.Gap(pair: "A/B", after: BookPosition(id: 6, nanoseconds: 6_000), next: 9)
        #expect(step.accepted.map(\.id) == [6] && step.gap == gap && gap.missing == 2 && step.rest.map(\.id) == [9, 10])
        // The answer overlaps on both sides.
        #expect(sequence.fill(gap, with: [trade(5), trade(6), trade(7)]).map(\.id) == [7])
        #expect(sequence.fill(gap, with: [trade(7), trade(8), trade(9), trade(11)]).map(\.id) == [8])
        sequence.close(gap)
        #expect(sequence.take(step.rest).accepted.map(\.id) == [9, 10])
    }

    @Test func `what nobody knows of is passed over once`() {
        var sequence = TradeSequence(books: ["A/B": BookPosition(id: 5, nanoseconds: 5_000)])
        let step = sequence.take([trade(8)])
        guard let gap = step.gap else { return #expect(Bool(false)) }
        #expect(sequence.fill(gap, with: [trade(7)]).map(\.id) == [7])
        sequence.close(gap)
        let after = sequence.take(step.rest)
        #expect(after.accepted.map(\.id) == [8] && after.gap == nil)
    }

    private func trade(_ id: Int64, second: Int64, _ pair: String = "A/B") -> MarketTrade {
        MarketTrade(pair: pair, id: id, price: 1, quantity: 1, side: .buy, nanoseconds: second * 1_000_000_000)
    }

    @Test func `numbers that go back begin anew once several younger trades say so, and nothing of those is lost`() {
        let before = BookPosition(id: 1_000_000, nanoseconds: 100_000_000_000)
        var sequence = TradeSequence(books: ["A/B": before, "C/D": before])
        // The snapshot of a new connection repeats what is older.
        #expect(sequence.take((999_990...1_000_000).map { trade($0, second: 100 - (1_000_000 - $0)) }).repeats == 11)
        let first = sequence.take([trade(1, second: 110), trade(2, second: 111), trade(2, second: 111), trade(999, second: 90, "C/D")])
        #expect(first.accepted.isEmpty && first.restarts.isEmpty && first.repeats == 4)
        let second = sequence.take([trade(3, second: 112), trade(4, second: 112), trade(4, second: 112)])
        #expect(second.accepted.map(\.id) == [1, 2, 3, 4] && second.restarts == ["A/B": before] && second.repeats == 1)
        #expect(sequence.take([trade(5, second: 113)]).accepted.map(\.id) == [5] && sequence.books["C/D"] == before)
    }

    @Test func `a younger trade with a low number that stands alone changes nothing`() {
        var sequence = TradeSequence(books: ["A/B": BookPosition(id: 50, nanoseconds: 0)])
        for round in 0..<10 as Range<Int64> {
            let step = sequence.take([trade(7, second: 1_000), trade(51 + round, second: round)])
            #expect(step.accepted.map(\.id) == [51 + round] && step.restarts.isEmpty)
        }
    }

    @Test(arguments: ["9223372036854775807", "-1", "4611686018427387905", "x", ""])
    func `a number that no exchange can have come to is none`(text: String) {
        #expect(JSONValue.string(text).id == nil)
        #expect(BookPosition(text + " 5") == nil)
    }

    @Test func `a position reads back what it wrote`() {
        #expect(BookPosition(BookPosition(id: 5, nanoseconds: -7).text) == BookPosition(id: 5, nanoseconds: -7))
        #expect(BookPosition("5") == nil)
    }
}

@Suite struct MarketCaptureTests {
    @Test(arguments: [
        CaptureEvent.opened, .closed, .message(Array("{\"a\":1}\n".utf8)), .message([0xFF, 0x00]),
        .history(request: "/p?a=1", answer: Array("[]".utf8)), .historyFailed(request: "/p?a=1"),
    ])
    func `a line reads back what it holds`(event: CaptureEvent) throws {
        var reader = CaptureReader(path: "x", lines: lines([MarketCapture.line(event, at: 5)]))
        #expect(try reader.read() == event)
        #expect(try reader.read() == nil)
    }

    @Test func `an answer to another request is told with its line`() throws {
        let events = [CaptureEvent.opened, .history(request: "/p?a=1", answer: [])]
        var reader = CaptureReader(path: "x", lines: lines(events.map { MarketCapture.line($0, at: 5) }))
        _ = try reader.read()
        #expect {
            try reader.answer(to: HistoryRequest("/p", [("a", "2")]))
        } throws: {
            "\($0)".contains("capture x:2: expected the answer to /p?a=2")
        }
    }

    private func lines(_ lines: [[UInt8]]) -> () throws -> [UInt8]? {
        var left = lines[...]
        return { left.popFirst() }
    }
}
