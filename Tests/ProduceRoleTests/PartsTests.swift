import Columnar
import Domain
import EventLog
import Testing

@testable import ProduceRole

@Suite struct PartsTests {
    private func line(_ at: Int, _ pair: String = "A") -> String {
        #"{"pair":"\#(pair)","price":1,"quantity":1,"timestamp_ms":\#(at)}"# + "\n"
    }

    private func source(_ path: String) throws -> PartedSource {
        PartedSource(
            try SourceFiles.list(path).map { file in
                .init(name: file.name) { try JSONLinesSource(path: file.path, stream: tradeStream) }
            })
    }

    private func send(_ path: String, _ log: LocalLog, input: String = "i") async throws {
        let producer = testProducer(log, input: input) { try source(path) }
        try await producer.run()
    }

    private func times(_ log: LocalLog) async throws -> [Int64] {
        try await log.read(topic: "trades", partition: 0, from: 0, limit: 10_000).records().filter { $0.record.value != nil }
            .map(\.record.timestamp)
    }

    @Test func `the files of a folder come in the order of their names, others are left alone`() throws {
        let folder = try Folder()
        for (name, at) in [("b.jsonl", 3), ("a.jsonl", 1), ("c.txt", 9), (".hidden.jsonl", 9), ("b2.jsonl", 4)] {
            _ = try folder.write(name, line(at))
        }
        let events = try source(folder.path)
        var found: [Int64] = []
        while case let part = try events.next(10), !part.isEmpty { found += part.map(\.time) }
        #expect(found == [1, 3, 4])
        #expect(try SourceFiles.list(folder.path + "/*.jsonl").map(\.name) == ["a.jsonl", "b.jsonl", "b2.jsonl"])
        #expect(try source(folder.path).span(notAfter: .max) == 1...4)
        #expect(try SourceFiles.list(folder.path + "/a.jsonl").map(\.name) == [""])
    }

    @Test func `a folder without files is refused by name`() throws {
        let folder = try Folder()
        #expect { try SourceFiles.list(folder.path) } throws: { "\($0)".contains(folder.path) && "\($0)".contains(".parquet") }
        #expect(!SourceFiles.exist(folder.path + "/none.csv") && !SourceFiles.exist(folder.path + "/*.csv"))
    }

    @Test func `a file that comes later is read, also when its name comes first, and none is read twice`() async throws {
        let folder = try Folder(), data = try Folder()
        let log = try await folder.log()
        _ = try data.write("b.jsonl", line(3) + line(4))
        try await send(data.path, log)
        #expect(try await times(log) == [3, 4])
        _ = try data.write("a.jsonl", line(1))
        _ = try data.write("c.jsonl", line(5))
        try await send(data.path, log)
        #expect(try await times(log) == [3, 4, 1, 5])
        try await send(data.path, log)
        #expect(try await times(log) == [3, 4, 1, 5])
    }

    @Test func `a file that was done and is longer now goes on where it ended, and ends again`() async throws {
        let folder = try Folder(), data = try Folder()
        let log = try await folder.log()
        let path = try data.write("a.jsonl", line(1) + line(2, "B"))
        try await send(path, log)
        let before = try await log.endOffset(topic: "trades", partition: 0)
        try await send(path, log)
        #expect(try await log.endOffset(topic: "trades", partition: 0) == before, "nothing is said twice")
        _ = try data.write("a.jsonl", line(1) + line(2, "B") + line(7))
        try await send(path, log)
        #expect(try await times(log) == [1, 2, 7])
        let records = try await log.read(topic: "trades", partition: 0, from: before, limit: 10).records()
        #expect(records.map { $0.record.header("mlops-tick") == nil } == [true, false, false])
        // Both keys end, also the one that had nothing new.
        #expect(records.suffix(2).map(\.record.timestamp) == [7, 2])
    }

    @Test func `a file that is shorter now, or gone, sends nothing again`() async throws {
        let folder = try Folder(), data = try Folder()
        let log = try await folder.log()
        _ = try data.write("a.jsonl", line(1) + line(2) + line(3))
        _ = try data.write("b.jsonl", line(4))
        try await send(data.path, log)
        _ = try data.write("a.jsonl", line(9))
        try await send(data.path, log)
        #expect(try await times(log) == [1, 2, 3, 4])
        let progress = ["a.jsonl": PartProgress(events: 3, isDone: true), "x.jsonl": PartProgress(events: 1, isDone: true)]
        let events = try source(data.path)
        #expect(events.resume(after: progress) == [.gone(part: "x.jsonl")])
        var findings: [PartedSource.Finding] = []
        _ = try events.nextBatch(10, found: { findings.append($0) })
        #expect(findings == [.shrunk(part: "a.jsonl", read: 3, now: 1)])
    }

    @Test func `another input under the same name begins anew`() async throws {
        let folder = try Folder(), data = try Folder()
        let log = try await folder.log()
        try await send(try data.write("a.jsonl", line(1) + line(2)), log)
        try await send(try data.write("b.jsonl", line(1) + line(2) + line(3)), log, input: "other")
        #expect(try await times(log) == [1, 2, 1, 2, 3])
        try await send(data.path + "/b.jsonl", log, input: "other")
        #expect(try await times(log).count == 5)
    }
}

@Suite struct MappedLinesTests {
    private func events(_ text: String) throws -> [SourceEvent] {
        let folder = try Folder()
        let path = try folder.write("t.jsonl", text)
        let source = try MappedLinesSource(
            path: path, stream: tradeStream, constants: [("pair", .string("A/B"))],
            map: [("timestamp_ms", "time"), ("quantity", "amount"), ("trade_id", "id")])
        return try source.next(100)
    }

    @Test func `fields get their names and types, as from other files`() throws {
        let found = try events(#"{"time":5,"price":"0.5","amount":3,"id":11,"other":[1]}"# + "\n")
        #expect(
            found.map(\.text)
                == [#"{"pair":"A/B","price":0.5,"quantity":3.0,"side":null,"trade_id":"11","timestamp_ms":5}"#])
        #expect(found[0].key == Array("A/B".utf8) && found[0].time == 5 && found[0].fault == nil)
    }

    @Test func `a line that is not an event travels on as it is, with its place and the reason`() throws {
        let good = #"{"time":5,"price":1,"amount":3}"#
        let bad = ["this is no JSON", #"{"time":6,"amount":3}"#, #"{"time":7,"price":"cheap","amount":1}"#, "[1]"]
        let found = try events(([good] + bad + ["", good]).joined(separator: "\n"))
        #expect(found.map { $0.fault == nil } == [true, false, false, false, false, true])
        #expect(found[1...4].map(\.text) == bad && found[1...4].allSatisfy { $0.key == nil })
        #expect(found[1].fault?.place.hasSuffix("t.jsonl:2") == true && found[4].fault?.place.hasSuffix(":5") == true)
        #expect(found[2].fault?.reason == "required field \"price\" is missing")
        #expect(found[1].headers.map(\.name) == ["mlops-source", "mlops-source-fault"])
    }

    @Test func `a file in which no line has a needed field is another file`() throws {
        #expect { try events(#"{"when":5,"price":1,"amount":3}"#) } throws: { error in
            "\(error)".contains(
                "no column for the field \"timestamp_ms\" (looked for time, timestamp_ms); the file has when, price, amount")
        }
        #expect(try events("").isEmpty)
        #expect(try events("no JSON at all\n").count == 1)
    }
}
