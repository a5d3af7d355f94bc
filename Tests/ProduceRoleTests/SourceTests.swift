import Domain
import EventLog
import Features
import Foundation
import Logging
import Project
import Settings
import Testing

@testable import ProduceRole

@Suite struct SourceTests {
    private func file(_ name: String, _ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString)-\(name)").path
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    private func text(_ events: [SourceEvent]) -> [String] { events.map { String(decoding: $0.value, as: UTF8.self) } }

    @Test func `columns of a file become fields by map, constant and name`() throws {
        let path = try file("t.csv", "timestamp,id,side,price,amount\n1570752000000,11,buy,0.0014,5\n1570752001000,12,sell,0.0015,6\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let source = try FileSource(
            path: path, stream: tradeStream, constants: [("pair", .string("XRP/ETH"))],
            map: [("timestamp_ms", "timestamp"), ("quantity", "amount"), ("trade_id", "id")])
        #expect(try source.span(notAfter: .max) == 1_570_752_000_000...1_570_752_001_000)
        let events = try source.next(10)
        #expect(
            text(events).first
                == #"{"pair":"XRP/ETH","price":0.0014,"quantity":5.0,"side":"buy","trade_id":"11","timestamp_ms":1570752000000}"#)
        #expect(events[0].key == Array("XRP/ETH".utf8) && events[1].time == 1_570_752_001_000)
        #expect(try source.next(10).isEmpty)
    }

    @Test func `a time that cannot be does not stretch the span of a file`() throws {
        let lines = [5, 7, 4_102_444_800_000, Int64.max].map { #"{"pair":"A","price":1,"quantity":1,"timestamp_ms":\#($0)}"# }
        let path = try file("t.jsonl", lines.joined(separator: "\n"))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try JSONLinesSource(path: path, stream: tradeStream).span(notAfter: 1_000) == 5...7)
        let whole = try MappedLinesSource(path: path, stream: tradeStream, constants: [("pair", .string("A"))], map: [])
        #expect(try whole.span(notAfter: 1_000) == 5...7)
    }

    @Test func `a file without a required field is refused with what was looked for`() throws {
        let path = try file("t.csv", "time,price\n1,2\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect {
            _ = try FileSource(path: path, stream: tradeStream, constants: [], map: [])
        } throws: { error in
            "\(error)".contains("no column for the field \"pair\" (looked for pair, product_id); the file has time, price")
        }
    }

    @Test func `lines that are not events travel on unchanged and without a key`() throws {
        let path = try file("t.jsonl", #"{"pair":"A","price":1,"timestamp_ms":5}"# + "\nnot json\n\n{\"price\":1}\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let events = try JSONLinesSource(path: path, stream: tradeStream).next(10)
        #expect(text(events) == [#"{"pair":"A","price":1,"timestamp_ms":5}"#, "not json", #"{"price":1}"#])
        #expect(events.map { $0.key == nil } == [false, true, true])
    }

    @Test func `a producer that was stopped goes on where it stopped, and ends every key once`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-produce-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        try await log.createTopics([.init(name: "trades", partitions: 1)])
        func producer() -> Producer {
            testProducer(log) { PartedSource { synthetic(.init(pairs: ["A", "B"], rate: 10, seed: 1), duration: 600_000) } }
        }
        let first = producer()
        #expect(try await first.feed(until: 300_000) == false)
        // While one process sends the source, another does not.
        await #expect(throws: SourceWriter.Held.self) { try await producer().feed() }
        try await first.release()
        let middle = try await log.endOffset(topic: "trades", partition: 0)
        let second = producer()
        #expect(try await second.feed() == true)
        try await second.finish()
        let records = try await log.read(topic: "trades", partition: 0, from: 0, limit: 100_000).records()
        let events = records.filter { $0.record.value != nil }
        #expect(middle > 2_000 && events.count > Int(middle))
        #expect(Set(events.map { $0.record.value ?? [] }).count == events.count)
        #expect(events.map(\.record.timestamp) == events.map(\.record.timestamp).sorted())
        #expect(records.suffix(2).map { $0.record.header("mlops-tick") } == [Array("end".utf8), Array("end".utf8)])
        #expect(events[0].record.header("mlops-ingested-at") == Array("1000000000".utf8))
        // A third run has nothing to add.
        let third = producer()
        #expect(try await third.feed() == true)
        try await third.finish()
        #expect(try await log.endOffset(topic: "trades", partition: 0) == Int64(records.count))
    }
}
