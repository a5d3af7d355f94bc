import Domain
import Features
import Foundation
import Project
import Settings
import Table
import Testing

@testable import ProduceRole

@Suite struct SyntheticTradesTests {
    private func trades(seed: UInt64 = 7, rate: Double = 20) -> SyntheticTrades {
        SyntheticTrades(pairs: ["BTC/USD", "ETH/USD", "XRP/ETH"], rate: rate, seed: seed, start: 1_700_000_000_000)
    }

    @Test func `a seed always gives the same trades, and another seed others`() {
        var a = trades(), b = trades(), c = trades(seed: 8)
        let first = (0..<1_000).map { _ in a.next() }
        #expect(first == (0..<1_000).map { _ in b.next() })
        #expect(first != (0..<1_000).map { _ in c.next() })
    }

    @Test func `trades are valid, in order, numbered per pair, and come at the rate asked for`() {
        var source = trades(rate: 50)
        var last: Int64 = 0, ids: [String: Int64] = [:]
        for _ in 0..<50_000 {
            let trade = source.next()
            #expect(trade.price > 0 && trade.quantity > 0 && trade.time >= last)
            #expect(trade.id == (ids[trade.pair] ?? 0) + 1)
            ids[trade.pair] = trade.id
            last = trade.time
        }
        let seconds = Double(last - 1_700_000_000_000) / 1_000
        #expect(abs(50_000 / seconds - 50) < 1.5)
        #expect(ids.count == 3 && ids.values.allSatisfy { $0 > 15_000 })
    }

    @Test func `a price far from its recent mean tends to come back, so there is something to learn`() {
        var source = trades(rate: 3)
        var minutes: [Int64: Double] = [:]
        for _ in 0..<400_000 {
            let trade = source.next()
            if trade.pair == "BTC/USD" { minutes[trade.time / 60_000] = log(trade.price) }
        }
        let prices = minutes.sorted { $0.key < $1.key }.map(\.value)
        var covariance = 0.0, variance = 0.0
        for index in 30..<prices.count - 10 {
            let mean = prices[index - 30..<index].reduce(0, +) / 30
            let deviation = prices[index] - mean, move = prices[index + 10] - prices[index]
            covariance += deviation * move
            variance += deviation * deviation
        }
        #expect(covariance / variance < -0.2, "slope \(covariance / variance)")
    }

    @Test func `an event is a JSON object with the stream's fields in order`() throws {
        let source = synthetic(
            .init(pairs: ["BTC/USD", "ETH/USD", "XRP/ETH"], rate: 20, seed: 7), start: 1_700_000_000_000, duration: 60_000,
            constants: [("side", .string("buy"))])
        let events = try source.next(10)
        #expect(events.count == 10)
        let text = String(decoding: events[0].value, as: UTF8.self)
        #expect(text.hasPrefix("{\"pair\":\"") && text.contains("\"side\":\"buy\",\"trade_id\":\"1\",\"timestamp_ms\":17000000"))
        #expect(source.span(notAfter: .max) == 1_700_000_000_000...1_700_000_060_000)
        var count = 10
        while case let more = try source.next(100), !more.isEmpty { count += more.count }
        #expect((900...1_500).contains(count))
    }
}

@Suite struct PacingTests {
    @Test func `an event waits until its time has come`() {
        #expect(Speed.unlimited.delay(event: 1_000_000, elapsed: .zero) == .zero)
        #expect(Speed.times(60).delay(event: 60_000, elapsed: .zero) == .seconds(1))
        #expect(Speed.times(60).delay(event: 60_000, elapsed: .milliseconds(400)) == .milliseconds(600))
        #expect(Speed.times(60).delay(event: 60_000, elapsed: .seconds(2)) == .zero)
    }

    @Test func `ticks name each key once, in key order, at the greatest time it reached`() {
        var times = KeyTimes()
        for (key, time) in [("b", 5), ("a", 9), ("b", 3), ("c", 1)] as [(String, Int64)] {
            times.note(Array(key.utf8), time, now: .zero, latest: 100_000)
        }
        let ticks = times.endTicks()
        #expect(ticks.map { String(decoding: $0.key ?? [], as: UTF8.self) } == ["a", "b", "c"])
        #expect(ticks.map(\.timestamp) == [9, 5, 1])
        #expect(ticks.allSatisfy { $0.value == nil && $0.header("mlops-tick") == Array("end".utf8) })
    }

    @Test func `an impossible time does not move a key's time`() {
        var times = KeyTimes()
        times.note([1], 5, now: .zero, latest: 100)
        times.note([1], 101, now: .zero, latest: 100)
        #expect(times.endTicks().map(\.timestamp) == [5])
    }

    @Test func `silence in which nothing could be heard does not count`() {
        var times = KeyTimes()
        times.note([1], 1_000, now: .seconds(10), latest: 100_000)
        times.restart(now: .seconds(100))
        #expect(times.idleTicks(now: .seconds(104), patience: .seconds(5)).isEmpty)
        #expect(times.idleTicks(now: .seconds(105), patience: .seconds(5)).map(\.timestamp) == [6_000])
    }

    @Test func `a silent key's time passes as the clock has, and it is told once per silence`() {
        var times = KeyTimes()
        times.note([1], 1_000, now: .seconds(10), latest: 100_000)
        #expect(times.idleTicks(now: .seconds(14), patience: .seconds(5)).isEmpty)
        #expect(times.idleTicks(now: .seconds(15), patience: .seconds(5)).map(\.timestamp) == [6_000])
        #expect(times.idleTicks(now: .seconds(16), patience: .seconds(5)).isEmpty)
        #expect(times.idleTicks(now: .seconds(21), patience: .seconds(5)).map(\.timestamp) == [12_000])
    }
}
