import Domain
import EventLog
import Features
import Logging
import Markets
import Testing
import WebSocket

@testable import ProduceRole

@Suite struct OffsetRangesTests {
    @Test func `offsets join to ranges in whatever order they come`() {
        var ranges = OffsetRanges("")
        for offset in [5, 1, 3, 2, 9, 4, 0, 8, 3] as [Int64] { ranges.insert(offset) }
        #expect(ranges.text == "0-5,8-9")
        #expect((0...10).filter { ranges.contains(Int64($0)) } == [0, 1, 2, 3, 4, 5, 8, 9])
        #expect(OffsetRanges(ranges.text) == ranges && OffsetRanges("x,5-3,7-7").text == "7-7")
    }
}

@Suite struct DeadReplayTests {
    private func dead(_ at: Int, _ reason: String, key: String? = nil) -> Record {
        Record(
            key: key.map { Array($0.utf8) }, value: Array(#"{"pair":"A","price":-\#(at),"quantity":1,"timestamp_ms":\#(at)}"#.utf8),
            timestamp: 0,
            headers: [
                .init("mlops-ingested-at", "5"), .init("mlops-dead-reason", reason), .init("mlops-origin", "trades/0/\(at)"),
            ])
    }

    private func run(_ log: LocalLog, reason: String? = nil, limit: Int? = nil, isDry: Bool = false) async throws -> DeadReplay.Summary {
        try await DeadReplay(stream: tradeStream, log: log, wall: { 77 }).run(.init(reason: reason, limit: limit, isDry: isDry))
    }

    private func replayed(_ log: LocalLog) async throws -> [Record] {
        try await log.read(topic: "trades", partition: 0, from: 0, limit: 100).records().map(\.record)
    }

    @Test func `each record goes back once, under its key and time, and says where it came from`() async throws {
        let folder = try Folder()
        let log = try await folder.log(topics: ["trades", "trades.dead"])
        try await log.append([dead(1, "price"), dead(2, "time"), dead(3, "price")], to: "trades.dead")
        #expect(try await run(log, isDry: true).records == 3)
        #expect(try await replayed(log).isEmpty)
        #expect(try await run(log, reason: "pri") == .init(records: 2, reasons: ["price": 2]))
        let first = try await replayed(log)
        #expect(first.map(\.timestamp) == [1, 3] && first.allSatisfy { $0.key == Array("A".utf8) })
        #expect(first[0].headers.map(\.name) == ["mlops-origin", "mlops-ingested-at"])
        #expect(first[0].header("mlops-origin") == Array("trades/0/1".utf8) && first[0].header("mlops-ingested-at") == Array("77".utf8))
        // What the reason left out is still there for later; nothing comes twice.
        #expect(try await run(log) == .init(records: 1, reasons: ["time": 1], before: 2))
        #expect(try await run(log) == .init(records: 0, before: 3))
        try await log.append([dead(4, "again")], to: "trades.dead")
        #expect(try await run(log).records == 1)
        #expect(try await replayed(log).map(\.timestamp) == [1, 3, 2, 4])
    }

    @Test func `a limit leaves the rest for later`() async throws {
        let folder = try Folder()
        let log = try await folder.log(topics: ["trades", "trades.dead"])
        try await log.append((1...5).map { dead($0, "r") }, to: "trades.dead")
        #expect(try await run(log, limit: 2).records == 2)
        #expect(try await run(log, limit: 2).records == 2)
        #expect(try await replayed(log).map(\.timestamp) == [1, 2, 3, 4])
    }
}

@Suite struct TopicSenderTests {
    private func sender(_ log: any EventLog) -> TopicSender {
        TopicSender(
            .init(
                target: .init(source: "t", topic: "trades", input: "i", projectHash: ContentHash(of: "p")), topic: "raw",
                stream: tradeStream,
                idlePatience: nil, once: true), from: log, to: log, clocks: .init(wall: { 1_000_000_000 }, monotonic: { .zero }),
            logger: Logger(label: "test"))
    }

    @Test func `records of another topic come once, under the stream's key and time`() async throws {
        let folder = try Folder()
        let log = try await folder.log(topics: ["trades", "raw"])
        func raw(_ at: Int) -> Record {
            Record(key: nil, value: Array(#"{"product_id":"A","price":1,"quantity":1,"timestamp_ms":\#(at)}"#.utf8), timestamp: 99)
        }
        try await log.append([raw(1), Record(key: nil, value: Array("no JSON".utf8), timestamp: 98), raw(2)], to: "raw")
        try await sender(log).run()
        var found = try await log.read(topic: "trades", partition: 0, from: 0, limit: 100).records().map(\.record)
        #expect(found.map(\.timestamp) == [1, 98, 2, 2] && found.map { $0.key == nil } == [false, true, false, false])
        #expect(found[2].header("mlops-origin") == Array("raw/0/2".utf8))
        #expect(found[0].header("mlops-ingested-at") == Array("1000000000".utf8))
        #expect(found[3].header("mlops-tick") == Array("end".utf8))
        try await log.append([raw(3)], to: "raw")
        try await sender(log).run()
        found = try await log.read(topic: "trades", partition: 0, from: 4, limit: 100).records().map(\.record)
        #expect(found.map(\.timestamp) == [3, 3])
    }

    @Test(arguments: [1, 2]) func `a run that is killed leaves no key without its end`(commits: Int) async throws {
        let folder = try Folder()
        let log = try await folder.log()
        try await log.createTopics([TopicPlan(name: "raw", partitions: 2)])
        let keys = (0..<10).map { "K\($0)" }
        for (at, key) in keys.enumerated() {
            let value = #"{"product_id":"\#(key)","price":1,"quantity":1,"timestamp_ms":\#(at)}"#
            try await log.append([Record(key: Array(key.utf8), value: Array(value.utf8), timestamp: 99)], to: "raw")
        }
        await #expect(throws: DyingLog.Killed.self) { try await sender(DyingLog(log, commits: commits)).run() }
        func ended() async throws -> [String] {
            let records = try await log.read(topic: "trades", partition: 0, from: 0, limit: 100).records().map(\.record)
            return records.filter { $0.header("mlops-tick") != nil }.map { String(decoding: $0.key ?? [], as: UTF8.self) }
        }
        #expect(try await ended().isEmpty)
        for _ in 0..<2 {
            // Said once: the next run finds that the topic has ended.
            try await sender(log).run()
            #expect(try await ended() == keys)
        }
    }

    @Test func `ticks of the topic are passed on, and none is made up beside them`() async throws {
        let folder = try Folder()
        let log = try await folder.log(topics: ["trades", "raw"])
        try await log.append(
            [Record(key: Array("A".utf8), value: nil, timestamp: 7, headers: [.init("mlops-tick", "idle")])], to: "raw")
        try await sender(log).run()
        let found = try await log.read(topic: "trades", partition: 0, from: 0, limit: 100).records().map(\.record)
        #expect(found.map(\.timestamp) == [7] && found[0].header("mlops-tick") == Array("idle".utf8))
    }
}

@Suite struct CaptureReplayTests {
    private func sender(_ log: any EventLog, _ path: String) throws -> MarketSender {
        MarketSender(
            .init(
                target: .init(source: "k", topic: "trades", input: "i", projectHash: ContentHash(of: "p")),
                codec: KrakenCodec(pairs: ["A/USD", "B/USD"]), address: try #require(WebSocketAddress("ws://h")), restURL: "http://h",
                trust: nil, encoder: TradeEncoder(stream: tradeStream, constants: []), idlePatience: .seconds(60), capture: .replay(path)),
            log: log, clocks: .init(wall: { 2_000_000_000_000 }, monotonic: { .zero }), logger: Logger(label: "test"))
    }

    @Test(arguments: [1, 2]) func `a replay that is killed leaves no pair without its end`(commits: Int) async throws {
        let folder = try Folder()
        let log = try await folder.log(), path = folder.path + "/capture"
        let writer = try CaptureWriter(path: path)
        for (at, pair) in ["A/USD", "B/USD"].enumerated() {
            let time = "2023-07-06T18:53:1\(at).5Z"
            let trade = #"{"symbol":"\#(pair)","side":"buy","price":1.5,"qty":2,"trade_id":7,"timestamp":"\#(time)"}"#
            let message = #"{"channel":"trade","type":"update","data":[\#(trade)]}"#
            #expect(try writer.append(.message(Array(message.utf8)), at: 1))
        }
        await #expect(throws: DyingLog.Killed.self) { try await sender(DyingLog(log, commits: commits), path).run() }
        for _ in 0..<2 {
            try await sender(log, path).run()
            let records = try await log.read(topic: "trades", partition: 0, from: 0, limit: 100).records().map(\.record)
            let ticks = records.filter { $0.header("mlops-tick") != nil }
            #expect(ticks.map { String(decoding: $0.key ?? [], as: UTF8.self) } == ["A/USD", "B/USD"] && records.count == 4)
        }
    }
}
