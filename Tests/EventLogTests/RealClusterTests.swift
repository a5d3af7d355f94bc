import Domain
import Foundation
import Logging
import Testing

@testable import EventLog

private let broker = ProcessInfo.processInfo.environment["MLOPS_TEST_BROKER"]

private func records(_ range: Range<Int>) -> [Domain.Record] {
    range.map { Domain.Record(key: Array("k\($0)".utf8), value: Array("\($0)".utf8), timestamp: 1_700_000_000_000) }
}

/// What mock brokers only pretend to do; runs when `MLOPS_TEST_BROKER=host:port` names a real cluster.
@Suite(.enabled(if: broker != nil, "MLOPS_TEST_BROKER names no cluster")) struct RealClusterTests {
    /// Runs `body` with a log whose topics bear a prefix of their own.
    private func withLog(_ prefix: String, _ body: (KafkaLog) async throws -> Void) async throws {
        var options = KafkaOptions(brokers: broker ?? "", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        options.topicPrefix = prefix
        options.sessionTimeout = .seconds(6)
        let log = try await KafkaLog.open(options)
        do { try await body(log) } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    private func newPrefix() -> String { "mlops-test-\(UUID().uuidString.prefix(8))-" }

    private func values(_ log: KafkaLog, _ topic: String) async throws -> [String] {
        let end = try await log.endOffset(topic: topic, partition: 0)
        var position: Int64 = 0, found: [String] = []
        while position < end {
            let batch = try await log.read(topic: topic, partition: 0, from: position, limit: 100)
            guard batch.nextOffset > position else { break }
            found += try batch.records().map { String(decoding: $0.record.value ?? [], as: UTF8.self) }
            position = batch.nextOffset
        }
        #expect(position == end)
        return found
    }

    private func take(_ log: KafkaLog, _ topic: String, owner: String) async throws -> Lease? {
        try await log.acquire(group: "g", topic: topic, partition: 0, owner: owner, now: 0, timeToLive: 0)
    }

    @Test func `topics are created as planned, and others' policies and partitions are refused`() async throws {
        let prefix = newPrefix(),
            plans = [TopicPlan(name: prefix + "a", partitions: 3), TopicPlan(name: prefix + "b", partitions: 1, isCompacted: true)]
        try await withLog(prefix) { log in
            try await log.createTopics(plans)
            try await log.createTopics(plans)
            #expect(try await log.partitions(of: prefix + "a") == 3)
            for wrong in [TopicPlan(name: prefix + "a", partitions: 4), TopicPlan(name: prefix + "b", partitions: 1)] {
                await #expect { try await log.createTopics([wrong]) } throws: {
                    guard case .topicMismatch(wrong.name, _, _) = ($0 as? EventLogError)?.code else { return false }
                    return true
                }
            }
        }
    }

    @Test func `the retention of a topic is known, and topics that are made keep everything unless told otherwise`() async throws {
        let prefix = newPrefix(), ever = prefix + "ever", hour = prefix + "hour"
        try await withLog(prefix) { log in
            try await log.createTopics([TopicPlan(name: ever, partitions: 1)])
            #expect(try await log.retention(of: ever) == nil)
        }
        var options = KafkaOptions(brokers: broker ?? "", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        options.retention = 3_600_000
        let log = try await KafkaLog.open(options)
        try await log.createTopics([TopicPlan(name: hour, partitions: 1)])
        #expect(try await log.retention(of: hour) == 3_600_000)
        await log.close()
    }

    @Test func `a unit that fails leaves nothing that readers see, and the next goes through`() async throws {
        let prefix = newPrefix(), input = prefix + "in", output = prefix + "out"
        try await withLog(prefix) { log in
            try await log.createTopics([TopicPlan(name: input, partitions: 1), TopicPlan(name: output, partitions: 1)])
            let lease = try #require(try await take(log, input, owner: "a"))
            let large = Domain.Record(key: nil, value: [UInt8](repeating: 1, count: 9_000_000), timestamp: 1)
            var unit = LogUnit(
                group: "g", outputs: [.init(topic: output, records: records(0..<10) + [large])],
                state: [.init(key: [1], value: [1])], offsets: [.init(topic: input, partition: 0, next: 5)], lease: lease)
            await #expect(throws: EventLogError.self) { try await log.commit(unit) }
            #expect(try await values(log, output).isEmpty)
            #expect(try await log.savedState(group: "g", partition: 0).entries.isEmpty)
            unit.outputs = [.init(topic: output, records: records(10..<20))]
            try await log.commit(unit)
            #expect(Set(try await values(log, output)) == Set((10..<20).map(String.init)))
            #expect(try await log.savedState(group: "g", partition: 0).position(topic: input, partition: 0) == 5)
            #expect(try await log.committed(group: "g", topic: input, partition: 0) == 5)
        }
    }

    @Test func `a new owner's producer fences the old one, and ends what it left open`() async throws {
        let prefix = newPrefix(), output = prefix + "out"
        try await withLog(prefix) { log in
            try await log.createTopics([TopicPlan(name: output, partitions: 1)])
            let part = TransactionalProducer.Part(topic: output, partition: 0, records: records(0..<5))
            let old = try TransactionalProducer(log.options, identifier: prefix + "id", statistics: nil)
            try await old.begin()
            _ = try await old.commit([part], offsets: []) { nil }
            let new = try TransactionalProducer(log.options, identifier: prefix + "id", statistics: nil)
            try await new.begin()
            await #expect { _ = try await old.commit([part], offsets: []) { nil } } throws: {
                ($0 as? KafkaFailure)?.isFenced == true
            }
            _ = try await new.commit([part], offsets: []) { nil }
            #expect(try await values(log, output).count == 10)
            old.close()
            new.close()
        }
    }

    @Test func `state that was overwritten many times is restored as it was last`() async throws {
        let prefix = newPrefix(), input = prefix + "in"
        try await withLog(prefix) { log in
            try await log.createTopics([TopicPlan(name: input, partitions: 1)])
            let lease = try #require(try await take(log, input, owner: "a"))
            for round in 0..<50 {
                let state = (0..<20).map { LogUnit.StateChange(key: [$0], value: round == 49 && $0 == 3 ? nil : [UInt8(round)]) }
                try await log.commit(
                    LogUnit(group: "g", state: state, offsets: [.init(topic: input, partition: 0, next: Int64(round))], lease: lease))
            }
            try await log.release(lease)
        }
        try await withLog(prefix) { log in
            #expect(try await take(log, input, owner: "b") != nil)
            let saved = try await log.savedState(group: "g", partition: 0)
            #expect(saved.entries.map(\.key) == (0..<20).filter { $0 != 3 }.map { [UInt8($0)] })
            #expect(saved.entries.allSatisfy { $0.value == [49] })
            #expect(saved.position(topic: input, partition: 0) == 49)
        }
    }

    @Test func `a process more than there are partitions is told that it has nothing to do`() async throws {
        let prefix = newPrefix(), input = prefix + "in"
        try await withLog(prefix) { first in
            try await first.createTopics([TopicPlan(name: input, partitions: 1)])
            #expect(try await take(first, input, owner: "a") != nil)
            try await withLog(prefix) { second in
                await #expect {
                    // Two session time-outs, so that processes that were killed do not count.
                    for _ in 0..<40 {
                        #expect(try await take(second, input, owner: "b") == nil)
                        try await Task.sleep(for: .milliseconds(500))
                    }
                } throws: {
                    ($0 as? EventLogError)?.code == .tooManyProcesses(group: "g", topic: input, processes: 2, partitions: 1)
                }
            }
        }
    }
}
