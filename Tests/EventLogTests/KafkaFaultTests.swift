import CRDKafka
import Domain
import Foundation
import Testing

@testable import EventLog

private func records(_ range: Range<Int>) -> [Domain.Record] {
    range.map { Domain.Record(key: Array("k".utf8), value: Array("\($0)".utf8), timestamp: 1_000) }
}

extension KafkaLog {
    fileprivate func values(_ topic: String) async throws -> [String] {
        let end = try await endOffset(topic: topic, partition: 0)
        var position: Int64 = 0, found: [String] = []
        while position < end {
            let batch = try await read(topic: topic, partition: 0, from: position, limit: 1_000)
            found += try batch.records().map { String(decoding: $0.record.value ?? [], as: UTF8.self) }
            position = batch.nextOffset
        }
        return found
    }
}

/// Brokers that refuse, move, vanish and come back.
@Suite struct KafkaFaultTests {
    @Test func `records arrive once and in order while leaders move and requests fail`() async throws {
        let cluster = try MockCluster(brokers: 2)
        cluster.create("t", partitions: 1)
        cluster.setLeader("t", 0, broker: 1)
        try await cluster.withLog { log in
            try await log.append(records(0..<10), to: "t")
            cluster.fail(
                .produce, with: RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
            try await log.append(records(10..<20), to: "t")
            cluster.setLeader("t", 0, broker: 2)
            cluster.fail(.fetch, with: RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
            try await log.append(records(20..<30), to: "t")
            #expect(try await log.values("t") == (0..<30).map(String.init))
        }
    }

    @Test func `a broker that goes and comes back loses and doubles nothing`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            try await log.append(records(0..<10), to: "t")
            cluster.setDown(1, true)
            async let appended: Void = log.append(records(10..<20), to: "t")
            try await Task.sleep(for: .milliseconds(500))
            cluster.setDown(1, false)
            try await appended
            #expect(try await log.values("t") == (0..<20).map(String.init))
        }
    }

    @Test func `a reader to whom nothing comes finds out that the brokers have gone`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog({ $0.silence = .zero }) { log in
            try await log.append(records(0..<3), to: "t")
            #expect(try await log.read(topic: "t", partition: 0, from: 0, limit: 10).count == 3)
            #expect(try await log.read(topic: "t", partition: 0, from: 3, limit: 10).isEmpty)
            cluster.setDown(1, true)
            await #expect { _ = try await log.read(topic: "t", partition: 0, from: 3, limit: 10) } throws: {
                ($0 as? EventLogError)?.isOutage == true
            }
            cluster.setDown(1, false)
            try await log.append(records(3..<4), to: "t")
            let end = try await log.endOffset(topic: "t", partition: 0)
            #expect(try await log.read(topic: "t", partition: 0, from: 3, limit: 10).nextOffset == end)
        }
    }

    @Test func `a fatal error of the producer is survived by a new one, without loss or double`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            try await log.append(records(0..<10), to: "t")
            cluster.fail(.produce, with: RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER)
            try await log.append(records(10..<20), to: "t")
            try await log.append(records(20..<30), to: "t")
            #expect(try await log.values("t") == (0..<30).map(String.init))
        }
    }

    @Test func `a fatal error among many appends at once hangs none of them and loses nothing`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            for round in 0..<8 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    cluster.fail(.produce, with: RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER)
                    for append in 0..<25 {
                        let first = (round * 25 + append) * 40
                        group.addTask { try await log.append(records(first..<first + 40), to: "t") }
                    }
                    try await group.waitForAll()
                }
            }
            // What the brokers had taken when the error came may be there twice, nothing may be missing.
            #expect(Set(try await log.values("t")) == Set((0..<8_000).map(String.init)))
        }
    }

    @Test func `of an append that went wrong in part, only what was lost is sent again`() async throws {
        let cluster = try MockCluster(brokers: 2)
        cluster.create("t", partitions: 2)
        for partition in 0..<2 { cluster.setLeader("t", partition, broker: Int32(partition + 1)) }
        try await cluster.withLog {
            $0.deliveryTimeout = .seconds(2)
        } _: { log in
            try await log.append(records(0..<1), to: "t", partition: 0)
            try await log.append(records(0..<1), to: "t", partition: 1)
            cluster.setDown(2, true)
            let mixed = (0..<40).map { Domain.Record(key: Array("k\($0)".utf8), value: Array("\($0)".utf8), timestamp: 1_000) }
            let lost = mixed.filter { Murmur2.partition(of: $0.key ?? [], among: 2) == 1 }.count
            var unwritten: [Domain.Record] = []
            do { try await log.append(mixed, to: "t") } catch let error as EventLogError {
                #expect(error.isRetriable)
                unwritten = error.unwritten ?? []
            }
            #expect(unwritten.count == lost && lost > 0)
            cluster.setDown(2, false)
            try await log.append(unwritten, to: "t")
            #expect(try await log.values("t").count == 1 + mixed.count - lost)
            #expect(try await log.endOffset(topic: "t", partition: 1) == Int64(1 + lost))
        }
    }

    @Test func `a record that is too large is named, whoever refuses it`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { log in
            let large = Domain.Record(key: Array("big".utf8), value: [UInt8](repeating: 7, count: 2_000_000), timestamp: 1)
            await #expect { try await log.append(records(0..<2) + [large], to: "t") } throws: {
                ($0 as? EventLogError)?.code == .recordTooLarge(topic: "t", key: "big", bytes: 2_000_003)
            }
            cluster.fail(.produce, with: RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
            await #expect { try await log.append(records(0..<1), to: "t") } throws: {
                ($0 as? EventLogError)?.code == .recordTooLarge(topic: "t", key: "k", bytes: 2)
            }
        }
    }

    @Test func `a coordinator that loads and transactions that overlap are waited for`() async throws {
        let cluster = try MockCluster()
        for topic in ["in", "out", "g.changelog"] { cluster.create(topic, partitions: 1) }
        try await cluster.withLog {
            $0.patience = .seconds(20)
        } _: { log in
            cluster.fail(.findCoordinator, with: RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
            cluster.fail(.initProducerID, with: RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
            let lease = try #require(try await log.acquire(group: "g", topic: "in", partition: 0, owner: "a", now: 0, timeToLive: 0))
            cluster.fail(.addPartitions, with: RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
            cluster.fail(.endTransaction, with: RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
            try await log.commit(
                LogUnit(
                    group: "g", outputs: [.init(topic: "out", records: records(0..<5))],
                    offsets: [.init(topic: "in", partition: 0, next: 5)],
                    lease: lease))
            #expect(try await log.values("out") == (0..<5).map(String.init))
            #expect(try await log.savedState(group: "g", partition: 0).position(topic: "in", partition: 0) == 5)
        }
    }

    /// The mock shows what was not committed too: the unit counts as written when its mark is in the changelog.
    @Test(arguments: [MockCluster.Request.endTransaction, .addOffsets])
    func `a unit whose step does not end in time is settled by another producer, once`(step: MockCluster.Request) async throws {
        let cluster = try MockCluster()
        for topic in ["in", "out", "g.changelog"] { cluster.create(topic, partitions: 1) }
        try await cluster.withLog {
            $0.stepPatience = .seconds(3)
        } _: { log in
            let lease = try #require(try await log.acquire(group: "g", topic: "in", partition: 0, owner: "a", now: 0, timeToLive: 0))
            _ = try await log.savedState(group: "g", partition: 0)
            func unit(_ range: Range<Int>) -> LogUnit {
                LogUnit(
                    group: "g", outputs: [.init(topic: "out", records: records(range))], state: [.init(key: [1], value: [1])],
                    offsets: [.init(topic: "in", partition: 0, next: Int64(range.upperBound))], lease: lease)
            }
            try await log.commit(unit(0..<5))
            // The coordinator puts the step off for longer than there is patience, then answers at once.
            let errors = [rd_kafka_resp_err_t](repeating: RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, count: 400)
            cluster.fail(step, with: errors)
            try await log.commit(unit(5..<10))
            cluster.forget(step)
            let written = try await log.values("out")
            #expect(written == (0..<10).map(String.init))
            try await log.commit(unit(10..<15))
            #expect(try await log.savedState(group: "g", partition: 0).position(topic: "in", partition: 0) == 15)
            #expect(try await log.values("out").suffix(5) == (10..<15).map(String.init))
        }
    }

    @Test func `a cluster that is too slow for a commit holds nothing up once it is fast again`() async throws {
        let cluster = try MockCluster()
        for topic in ["in", "out", "g.changelog"] { cluster.create(topic, partitions: 1) }
        try await cluster.withLog {
            $0.stepPatience = .milliseconds(600)
            $0.patience = .milliseconds(100)
        } _: { log in
            let lease = try #require(try await log.acquire(group: "g", topic: "in", partition: 0, owner: "a", now: 0, timeToLive: 0))
            let unit = LogUnit(
                group: "g", outputs: [.init(topic: "out", records: records(0..<5))],
                offsets: [.init(topic: "in", partition: 0, next: 5)], lease: lease)
            cluster.setRoundTrip(1, .seconds(4))
            await #expect { try await log.commit(unit) } throws: { ($0 as? EventLogError)?.isRetriable == true }
            cluster.setRoundTrip(1, .zero)
            // As a role does: from what is saved.
            let clock = ContinuousClock(), start = clock.now
            while clock.now - start < .seconds(60) {
                do {
                    if try await log.savedState(group: "g", partition: 0).position(topic: "in", partition: 0) == 5 { break }
                    try await log.commit(unit)
                } catch let error as EventLogError where error.isRetriable {
                    continue
                }
            }
            #expect(try await log.savedState(group: "g", partition: 0).position(topic: "in", partition: 0) == 5)
            #expect(Set(try await log.values("out")) == Set((0..<5).map(String.init)))
        }
    }

    @Test func `a producer that is found fenced while records are handed over gives up the partition only`() async throws {
        let cluster = try MockCluster()
        for topic in ["in", "out", "g.changelog"] { cluster.create(topic, partitions: 1) }
        try await cluster.withLog { log in
            let lease = try #require(try await log.acquire(group: "g", topic: "in", partition: 0, owner: "a", now: 0, timeToLive: 0))
            cluster.fail(.addPartitions, with: RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
            // More than the queue takes: the refusal comes while there are records left to hand over.
            let large = (0..<150_000).map { Domain.Record(key: nil, value: [UInt8](repeating: 1, count: 10 + $0 % 2), timestamp: 1) }
            let unit = LogUnit(group: "g", outputs: [.init(topic: "out", records: large)], lease: lease)
            await #expect { try await log.commit(unit) } throws: {
                ($0 as? EventLogError)?.code == .fenced(group: "g", topic: "in", partition: 0)
            }
        }
    }

    @Test func `an owner whose producer is fenced stops`() async throws {
        let cluster = try MockCluster()
        for topic in ["in", "out", "g.changelog"] { cluster.create(topic, partitions: 1) }
        try await cluster.withLog { log in
            let lease = try #require(try await log.acquire(group: "g", topic: "in", partition: 0, owner: "a", now: 0, timeToLive: 0))
            cluster.fail(.addPartitions, with: RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
            let unit = LogUnit(group: "g", outputs: [.init(topic: "out", records: records(0..<5))], lease: lease)
            for _ in 0..<2 {
                await #expect { try await log.commit(unit) } throws: {
                    ($0 as? EventLogError)?.code == .fenced(group: "g", topic: "in", partition: 0)
                }
            }
            // The group has not taken the partition away: the same process may go on under a new lease.
            let next = try await log.acquire(group: "g", topic: "in", partition: 0, owner: "a", now: 0, timeToLive: 0)
            #expect(next != nil && next != lease)
        }
    }
}
