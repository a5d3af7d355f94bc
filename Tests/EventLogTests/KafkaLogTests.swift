import CRDKafka
import Domain
import Foundation
import Testing

@testable import EventLog

private func record(_ key: String?, _ value: String, at time: Int64 = 1_000) -> Domain.Record {
    Domain.Record(key: key.map { Array($0.utf8) }, value: Array(value.utf8), timestamp: time)
}

private func values(_ batch: RecordBatch) throws -> [String] {
    try batch.records().map { String(decoding: $0.record.value ?? [], as: UTF8.self) }
}

@Suite struct KafkaLogTests {
    @Test func `records come back with keys, times, headers and tombstones, in the partition of Java's hash`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 4)
        try await cluster.withLog { log in
            var sent = (0..<40).map { record("k\($0)", "v\($0)", at: 1_000 + Int64($0)) }
            sent[3].headers = [.init("a", "x"), .init("empty", ""), .init("a", [0, 255])]
            sent[4].value = nil
            sent[5].value = []
            sent[6].key = []
            try await log.append(sent, to: "t")
            var found: [Domain.Record] = []
            for partition in 0..<4 {
                let batch = try await log.read(topic: "t", partition: partition, from: 0, limit: 100)
                #expect(batch.nextOffset == (try await log.endOffset(topic: "t", partition: partition)))
                for stored in try batch.records() {
                    found.append(stored.record)
                    #expect(Murmur2.partition(of: stored.record.key, among: 4) == partition)
                }
            }
            #expect(found.sorted { $0.timestamp < $1.timestamp } == sent)
        }
    }

    @Test func `a read ends at the limit or at the end, and goes on or starts anywhere`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            try await log.append((0..<20).map { record("k", "\($0)") }, to: "t")
            for (from, limit) in [(0, 7), (7, 7), (14, 100), (20, 5), (3, 2), (0, 100), (5, 1)] {
                let batch = try await log.read(topic: "t", partition: 0, from: Int64(from), limit: limit)
                let expected = (from..<min(20, from + limit)).map(String.init)
                #expect(try values(batch) == expected)
                #expect(batch.nextOffset == Int64(from + expected.count))
            }
        }
    }

    @Test func `what was appended is found by a read up to the end that was told`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            var position: Int64 = 0
            for round in 1...20 {
                // The reader has met the end before each append.
                position = try await log.read(topic: "t", partition: 0, from: position, limit: 10).nextOffset
                try await log.append([record("k", "\(round)")], to: "t")
                let end = try await log.endOffset(topic: "t", partition: 0)
                let batch = try await log.read(topic: "t", partition: 0, from: position, limit: 10)
                #expect(try values(batch) == ["\(round)"])
                #expect(batch.nextOffset == end)
                position = batch.nextOffset
            }
        }
    }

    @Test func `a long read is cut into pieces that hold every record, and goes on anywhere in them`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            let text = String(repeating: "x", count: 1_000)
            try await log.append((0..<500).map { record("k", "\($0) " + text) }, to: "t")
            for from in [0, 1, 99, 499] {
                let batch = try await log.read(topic: "t", partition: 0, from: Int64(from), limit: 500)
                #expect(try values(batch) == (from..<500).map { "\($0) " + text })
                #expect(batch.count == 500 - from && batch.nextOffset == 500)
                #expect(from > 99 || batch.chunks.count > 3)
                #expect(batch.chunks.allSatisfy { $0.bytes.count < 128 * 1_024 })
            }
        }
    }

    @Test func `readers of one partition at different places do not disturb each other`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            try await log.append((0..<600).map { record("k", "\($0)") }, to: "t")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for reader in 0..<6 {
                    group.addTask {
                        var position = Int64(reader * 10), seen: [String] = []
                        while position < 600 {
                            let batch = try await log.read(topic: "t", partition: 0, from: position, limit: 37)
                            seen += try values(batch)
                            position = batch.nextOffset
                        }
                        #expect(seen == (reader * 10..<600).map(String.init))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `an append by another process wakes a reader`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { reader in
            _ = try await reader.read(topic: "t", partition: 0, from: 0, limit: 1)
            let version = reader.version(of: ["t"])
            // Long enough that a slow machine is not mistaken for a reader that was not woken.
            async let waiting: Void = reader.waitForAppend(to: ["t"], after: version, timeout: .seconds(600))
            let clock = ContinuousClock(), start = clock.now
            try await cluster.withLog { writer in try await writer.append([record("k", "1")], to: "t") }
            await waiting
            #expect(clock.now - start < .seconds(300))
            #expect(reader.version(of: ["t"]) != version)
        }
    }

    @Test func `a topic with other partitions is refused`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 3)
        try await cluster.withLog { log in
            try await log.createTopics([TopicPlan(name: "t", partitions: 3)])
            await #expect { try await log.createTopics([TopicPlan(name: "t", partitions: 4)]) } throws: {
                ($0 as? EventLogError)?.code == .topicMismatch(topic: "t", found: "3 partitions", wanted: "4 partitions")
            }
        }
    }

    @Test(
        arguments: [
            (["retention.ms": "3600000", "cleanup.policy": "delete"], 3_600_000), (["retention.ms": "0"], 0), (["retention.ms": "-1"], nil),
            (["retention.ms": "1000", "message.timestamp.type": "LogAppendTime"], nil),
            (["retention.ms": "1000", "cleanup.policy": "compact"], nil),
            (["retention.ms": "1000", "cleanup.policy": "compact,delete"], 1_000), ([:], nil),
        ] as [([String: String], Int64?)])
    func `a topic's configuration says how long it keeps events by their time`(configs: [String: String], kept: Int64?) {
        #expect(KafkaAdmin.retention(configs) == kept)
    }

    @Test func `a topic whose retention the brokers do not tell is taken to keep everything`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            let kept = try await log.retention(of: "t")
            #expect(kept == nil)
        }
    }

    @Test func `records that were removed before they were read are passed over to what is left`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            // The mock keeps 5 MiB of a partition; what does not compress fills it.
            var word: UInt64 = 7
            let noise = (0..<1_600).map { _ in
                word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: word >> 56)
            }
            let fillers = (0..<256).map { mask in noise.map { $0 ^ UInt8(mask) } }
            for first in stride(from: 0, to: 8_000, by: 500) {
                try await log.append(
                    (first..<first + 500).map { number in
                        let tail = Array("/\(number)".utf8)
                        return Domain.Record(key: nil, value: fillers[number % 256] + tail, timestamp: 1)
                    }, to: "t")
            }
            let end = try await log.endOffset(topic: "t", partition: 0)
            #expect(end == 8_000)
            let first = try await log.read(topic: "t", partition: 0, from: 0, limit: 10).records()
            #expect(first.count == 10 && first[0].offset > 0)
            let tail = String(decoding: first[0].record.value?.suffix(first[0].offset < 1_000 ? 4 : 5) ?? [], as: UTF8.self)
            #expect(tail == "/\(first[0].offset)")
        }
    }

    @Test func `a cluster that does not answer is told after the patience`() async throws {
        var options = KafkaOptions(brokers: "127.0.0.1:1")
        options.patience = .milliseconds(300)
        await #expect { try await KafkaLog.open(options) } throws: {
            guard case .unreachable(let brokers, _) = ($0 as? EventLogError)?.code else { return false }
            return brokers == "127.0.0.1:1"
        }
    }

    @Test func `a setting that the library refuses is named`() async throws {
        var options = KafkaOptions(brokers: "127.0.0.1:1")
        options.security.securityProtocol = "carrier-pigeon"
        await #expect { try await KafkaLog.open(options) } throws: {
            guard case .badKafkaSetting(let reason) = ($0 as? EventLogError)?.code else { return false }
            return reason.contains("carrier-pigeon")
        }
    }

    @Test func `a position beyond the end is an error: the topic was made anew`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            try await log.append([record("k", "1")], to: "t")
            await #expect { try await log.read(topic: "t", partition: 0, from: 50, limit: 1) } throws: {
                ($0 as? EventLogError)?.code == .positionBeyondEnd(topic: "t", partition: 0, position: 50, end: 1)
            }
        }
    }

    @Test func `positions of groups without a lease are kept`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 2)
        try await cluster.withLog { log in
            #expect(try await log.committed(group: "archive", topic: "t", partition: 1) == 0)
            try await log.commit(LogUnit(group: "archive", offsets: [.init(topic: "t", partition: 1, next: 7)]))
            #expect(try await log.committed(group: "archive", topic: "t", partition: 1) == 7)
            #expect(try await log.committed(group: "archive", topic: "t", partition: 0) == 0)
        }
    }

    @Test(arguments: [
        ("kafka://a:9092", "a:9092"), ("kafka://a:9092,b.c:1", "a:9092,b.c:1"), ("kafka://", nil), ("kafka://a", nil),
        ("kafka://a:0", nil), ("kafka://a:9092,", nil), ("kafka://:9092", nil),
    ])
    func `the URL of a cluster names brokers`(text: String, brokers: String?) throws {
        #expect((try? LogURL(text)) == brokers.map { .kafka(brokers: $0) })
    }
}
