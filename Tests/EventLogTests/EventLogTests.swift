import Domain
import Foundation
import GRDB
import Testing

@testable import EventLog

@Suite struct EventLogTests {
    /// Runs `body` with a log in a folder of its own, which is removed afterwards.
    private func withLog(_ body: (LocalLog) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-log-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(try await LocalLog.open(directory: directory))
    }

    private func record(_ key: String, _ value: String, at time: Int64 = 0) -> Domain.Record {
        Domain.Record(key: Array(key.utf8), value: Array(value.utf8), timestamp: time, headers: [.init("h", value)])
    }

    private func values(_ batch: RecordBatch) throws -> [String] {
        try batch.records().map { String(decoding: $0.record.value ?? [], as: UTF8.self) }
    }

    @Test func `records come back in order with their keys, times and headers`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1)])
            let sent = [record("a", "1", at: 5), Domain.Record(key: nil, value: nil, timestamp: -1), record("b", "3")]
            try await log.append(sent, to: "t")
            let batch = try await log.read(topic: "t", partition: 0, from: 0, limit: 100)
            #expect(try batch.records().map(\.record) == sent)
            #expect(try batch.records().map(\.offset) == [0, 1, 2])
            #expect(batch.nextOffset == 3)
        }
    }

    @Test func `a name of a header that is too long is cut between characters, and all else stays`() throws {
        for name in [String(repeating: "é", count: 40_000), String(repeating: "x", count: 65_535), "", "a\u{FFFD}"] {
            let record = Domain.Record(
                key: [1], value: [2], timestamp: 3, headers: [.init(name, [4, 5]), .init("next", [6])])
            var bytes: [UInt8] = []
            BatchCodec.append(record.headers, to: &bytes)
            let found = try #require(bytes.withUnsafeBytes { BatchCodec.headers($0) })
            #expect(found.map(\.value) == [[4, 5], [6]] && found[1].name == "next")
            #expect(name.hasPrefix(found[0].name) && found[0].name.utf8.count >= min(name.utf8.count, 65_534))
            var whole: [UInt8] = [], raw: [UInt8] = []
            BatchCodec.append(record, to: &whole)
            Array(name.utf8).withUnsafeBytes { name in
                [UInt8](arrayLiteral: 4, 5).withUnsafeBytes { BatchCodec.appendHeader(name, $0, to: &raw) }
            }
            #expect(whole.count == BatchCodec.fixedSize + 2 + bytes.count && raw.count <= 65_535 + 8)
        }
    }

    @Test func `reading goes on from any offset, across batches, up to the limit`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1)])
            for batch in 0..<5 { try await log.append((0..<3).map { record("k", "\(batch * 3 + $0)") }, to: "t") }
            for from in 0...15 {
                for limit in 1...6 {
                    let batch = try await log.read(topic: "t", partition: 0, from: Int64(from), limit: limit)
                    let expected = (from..<max(from, min(15, from + limit))).map(String.init)
                    #expect(try values(batch) == expected)
                    #expect(batch.nextOffset == Int64(from + expected.count))
                }
            }
        }
    }

    @Test func `a key always goes to the partition that Kafka's clients choose`() async throws {
        // Reference values of the Java client's murmur2.
        #expect(Int32(bitPattern: Murmur2.hash(Array("21".utf8))) == -973_932_308)
        #expect(Int32(bitPattern: Murmur2.hash(Array("foobar".utf8))) == -790_332_482)
        #expect(Int32(bitPattern: Murmur2.hash(Array("a-little-bit-long-string".utf8))) == -985_981_536)
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 4)])
            try await log.append((0..<40).map { record("k\($0)", "\($0)") }, to: "t")
            var seen = 0
            for partition in 0..<4 {
                for stored in try await log.read(topic: "t", partition: partition, from: 0, limit: 100).records() {
                    #expect(Murmur2.partition(of: stored.record.key, among: 4) == partition)
                    seen += 1
                }
            }
            #expect(seen == 40)
        }
    }

    @Test func `a unit is written whole or not at all`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "in", partitions: 1), .init(name: "out", partitions: 1)])
            var unit = LogUnit(
                group: "g", outputs: [.init(topic: "out", records: [record("k", "1")])],
                state: [.init(key: [1], value: [2])], offsets: [.init(topic: "in", partition: 0, next: 7)])
            try await log.commit(unit)
            #expect(try await log.committed(group: "g", topic: "in", partition: 0) == 7)
            #expect(try await log.savedState(group: "g", partition: 0).entries.map(\.value) == [[2]])

            unit.outputs.append(.init(topic: "nowhere", records: [record("k", "2")]))
            unit.offsets = [.init(topic: "in", partition: 0, next: 9)]
            await #expect(throws: EventLogError.self) { try await log.commit(unit) }
            #expect(try await log.endOffset(topic: "out", partition: 0) == 1)
            #expect(try await log.committed(group: "g", topic: "in", partition: 0) == 7)
        }
    }

    @Test func `a compacted topic keeps the latest record of each key`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1, isCompacted: true)])
            try await log.append([record("a", "1"), record("b", "2"), record("a", "3")], to: "t")
            let all = try await log.read(topic: "t", partition: 0, from: 0, limit: 10)
            #expect(try values(all) == ["2", "3"])
            #expect(all.nextOffset == 3)
            try await log.append([record("b", "4")], to: "t")
            #expect(try values(await log.read(topic: "t", partition: 0, from: all.nextOffset, limit: 10)) == ["4"])
        }
    }

    @Test func `a partition has one owner, and a late one is fenced`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1)])
            let own = Lease.ownerName("a"), other = Lease.ownerName("b")
            func acquire(_ owner: String, now: Int64) async throws -> Lease? {
                try await log.acquire(group: "g", topic: "t", partition: 0, owner: owner, now: now, timeToLive: 100)
            }
            let first = try #require(try await acquire(own, now: 0))
            #expect(try await acquire(other, now: 99) == nil)
            let second = try #require(try await acquire(other, now: 100))
            try await log.commit(LogUnit(group: "g", lease: second))
            await #expect(throws: EventLogError.self) { try await log.commit(LogUnit(group: "g", lease: first)) }
            try await log.release(second)
            #expect(try await acquire(own, now: 101) != nil)
        }
    }

    @Test func `the partition of a dead process is free at once`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1)])
            let gone = Lease.ownerName("x").replacing("\(ProcessInfo.processInfo.processIdentifier):", with: "999999999:")
            _ = try await log.acquire(group: "g", topic: "t", partition: 0, owner: gone, now: 0, timeToLive: 1_000_000)
            #expect(
                try await log.acquire(
                    group: "g", topic: "t", partition: 0, owner: Lease.ownerName("a"), now: 1, timeToLive: 10) != nil)
        }
    }

    @Test func `a process of another container counts as alive until its lease ends`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1)])
            func acquire(_ owner: String, now: Int64) async throws -> Lease? {
                try await log.acquire(group: "g", topic: "t", partition: 0, owner: owner, now: now, timeToLive: 100)
            }
            _ = try await acquire("999999999:elsewhere:x:1", now: 0)
            #expect(try await acquire(Lease.ownerName("a"), now: 99) == nil)
            #expect(try await acquire(Lease.ownerName("a"), now: 100) != nil)
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5])
    func `processes that join and leave come to share the partitions evenly`(members: Int) async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 4)])
            let owners = (0..<members).map { Lease.ownerName("m\($0)") }
            func renew(_ owner: String, now: Int64) async throws -> [Lease] {
                var leases: [Lease] = []
                for partition in 0..<4 {
                    let lease = try await log.acquire(
                        group: "g", topic: "t", partition: partition, owner: owner, now: now, timeToLive: 100)
                    if let lease { leases.append(lease) }
                }
                return leases
            }
            #expect(try await renew(owners[0], now: 0).count == 4)
            var counts: [Int] = []
            for round in 1...3 {
                counts = []
                for owner in owners { counts.append(try await renew(owner, now: Int64(round)).count) }
            }
            #expect(counts.reduce(0, +) == 4)
            #expect(counts.allSatisfy { $0 <= (4 + members - 1) / members }, "\(counts)")
            #expect(members > 4 || counts.allSatisfy { $0 > 0 }, "\(counts)")
            // All but the first go: it has everything again.
            for owner in owners.dropFirst() {
                for lease in try await renew(owner, now: 4) { try await log.release(lease) }
            }
            #expect(try await renew(owners[0], now: 4).count == 4)
        }
    }

    @Test func `a topic cannot change its partitions behind a project's back`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 2)])
            try await log.createTopics([.init(name: "t", partitions: 2)])
            await #expect(throws: EventLogError.self) { try await log.createTopics([.init(name: "t", partitions: 3)]) }
        }
    }

    @Test func `a waiting reader wakes when a record is appended`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1)])
            let version = log.version(of: ["t"])
            async let woken: Void = log.waitForAppend(to: ["t"], after: version, timeout: .seconds(600))
            try await log.append([record("k", "1")], to: "t")
            await woken
            #expect(log.version(of: ["t"]) > version)
        }
    }

    @Test func `an append to one topic does not wake the readers of another`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "t", partitions: 1), .init(name: "u", partitions: 1)])
            let version = log.version(of: ["t"])
            try await log.append([record("k", "1")], to: "u")
            #expect(log.version(of: ["t"]) == version)
            #expect(log.version(of: ["t", "u"]) > version)
        }
    }

    @Test func `the partitions of a group remember apart`() async throws {
        try await withLog { log in
            try await log.createTopics([.init(name: "in", partitions: 2)])
            for partition in 0..<2 {
                let offset = LogUnit.Position(topic: "in", partition: partition, next: Int64(partition) + 5)
                try await log.commit(
                    LogUnit(group: "g", partition: partition, state: [.init(key: [9], value: [UInt8(partition)])], offsets: [offset]))
            }
            let second = try await log.savedState(group: "g", partition: 1)
            #expect(second.entries.map(\.value) == [[1]])
            #expect(second.position(topic: "in", partition: 1) == 6)
            #expect(second.position(topic: "elsewhere", partition: 1) == 0)
            #expect(try await log.savedState(group: "other", partition: 1).entries.isEmpty)
        }
    }

    @Test(arguments: ["kafka://x", "kafka:x:9092", "local:", "/tmp/x", ""])
    func `a URL of another kind is refused by name`(url: String) async {
        await #expect(throws: EventLogError.self) { _ = try await LogURL(url).open() }
    }

    @Test(arguments: [1, 99])
    func `a log that another version of the program wrote is refused`(version: Int) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-log-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        try await log.write("age") { try $0.execute(sql: "PRAGMA user_version = \(version)") }
        await #expect(throws: EventLogError.self) { _ = try await LocalLog.open(directory: directory) }
    }
}
