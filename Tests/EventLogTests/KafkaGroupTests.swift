import CRDKafka
import Crypto
import Domain
import Foundation
import Testing

@testable import EventLog

private func record(_ key: String, _ value: String) -> Domain.Record {
    Domain.Record(key: Array(key.utf8), value: Array(value.utf8), timestamp: 1_000)
}

private func change(_ key: String, _ value: String?) -> LogUnit.StateChange {
    LogUnit.StateChange(key: Array(key.utf8), value: value.map { Array($0.utf8) })
}

extension KafkaLog {
    fileprivate func take(_ partition: Int, owner: String) async throws -> Lease? {
        try await acquire(group: "g", topic: "in", partition: partition, owner: owner, now: 0, timeToLive: 0)
    }
}

/// Groups, units and changelogs. The mock brokers have no real transactions: that a unit that fails leaves nothing behind
/// is shown in ``RealClusterTests``.
@Suite struct KafkaGroupTests {
    private func makeCluster() throws -> MockCluster {
        let cluster = try MockCluster()
        for topic in ["in", "out", "g.changelog"] { cluster.create(topic, partitions: 2) }
        return cluster
    }

    @Test func `a unit's outputs, state and positions are found by the next owner`() async throws {
        let cluster = try makeCluster()
        try await cluster.withLog { log in
            let lease = try #require(try await log.take(1, owner: "a"))
            #expect(try await log.savedState(group: "g", partition: 1).entries.isEmpty)
            try await log.commit(
                LogUnit(
                    group: "g", partition: 1, outputs: [.init(topic: "out", records: [record("k", "1")], partition: 1)],
                    state: [change("a", "1"), change("b", "2"), change("o", "odd")],
                    offsets: [.init(topic: "in", partition: 1, next: 7)], lease: lease))
            try await log.commit(
                LogUnit(
                    group: "g", partition: 1, state: [change("a", nil), change("b", "3")],
                    offsets: [.init(topic: "in", partition: 1, next: 9), .init(topic: "other/x", partition: 0, next: 2)], lease: lease))
            try await log.release(lease)
        }
        try await cluster.withLog { log in
            #expect(try await log.take(1, owner: "b") != nil)
            let saved = try await log.savedState(group: "g", partition: 1)
            #expect(saved.entries.map { String(decoding: $0.key, as: UTF8.self) } == ["b", "o"])
            #expect(saved["b"] == Array("3".utf8))
            #expect(saved.position(topic: "in", partition: 1) == 9)
            #expect(saved.position(topic: "other/x", partition: 0) == 2)
            #expect(try await log.savedState(group: "g", partition: 0).entries.isEmpty)
            #expect(try await log.read(topic: "out", partition: 1, from: 0, limit: 10).count == 1)
        }
    }

    @Test func `two processes share the partitions, and the second's end gives them back`() async throws {
        let cluster = try makeCluster()
        try await cluster.withLog { first in
            var mine: [Lease] = []
            for partition in 0..<2 { mine.append(try #require(try await first.take(partition, owner: "a"))) }
            #expect(try await first.take(0, owner: "a") == mine[0])
            try await cluster.withLog { second in
                // Cooperative: what stays is kept under the same lease, and the other moves once it has been given up.
                let held = try await partitions(of: second, owner: "b") { $0.count == 1 }
                let moved = held[0], kept = 1 - moved
                #expect(try await first.take(moved, owner: "a") == nil)
                #expect(try await first.take(kept, owner: "a") == mine[kept])
                let unit = LogUnit(group: "g", partition: moved, state: [change("x", "1")], lease: mine[moved])
                await #expect { try await first.commit(unit) } throws: {
                    ($0 as? EventLogError)?.code == .fenced(group: "g", topic: "in", partition: moved)
                }
                try await first.commit(LogUnit(group: "g", partition: kept, state: [change("x", "1")], lease: mine[kept]))
            }
            #expect(try await partitions(of: first, owner: "a") { $0.count == 2 } == [0, 1])
        }
    }

    /// The partitions that an owner has once `isEnough`.
    private func partitions(of log: KafkaLog, owner: String, _ isEnough: ([Int]) -> Bool) async throws -> [Int] {
        let clock = ContinuousClock(), start = clock.now
        while clock.now - start < .seconds(300) {
            var held: [Int] = []
            for partition in 0..<2 where try await log.take(partition, owner: owner) != nil { held.append(partition) }
            if isEnough(held) { return held }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw CancellationError()
    }

    @Test func `a newcomer takes nothing from the owner of an exclusive group, and follows it`() async throws {
        let cluster = try MockCluster()
        cluster.create("in", partitions: 4)
        cluster.create("produce.x.changelog", partitions: 1)
        func take(_ log: KafkaLog, _ owner: String) async throws -> Lease? {
            try await log.acquire(group: "produce/x", topic: "in", partition: 0, owner: owner, now: 0, timeToLive: 0)
        }
        try await cluster.withLog {
            $0.exclusiveGroups = ["produce/"]
        } _: { first in
            let lease = try #require(try await take(first, "a"))
            try await cluster.withLog {
                $0.exclusiveGroups = ["produce/"]
            } _: { second in
                #expect(try await take(second, "b") == nil)
                #expect(try await take(first, "a") == lease)
                try await first.release(lease)
                let clock = ContinuousClock(), start = clock.now
                var next: Lease?
                while next == nil, clock.now - start < .seconds(300) {
                    next = try await take(second, "b")
                    try await Task.sleep(for: .milliseconds(50))
                }
                #expect(next != nil)
            }
        }
    }

    @Test func `a released lease commits nothing more`() async throws {
        let cluster = try makeCluster()
        try await cluster.withLog { log in
            let lease = try #require(try await log.take(0, owner: "a"))
            try await log.release(lease)
            await #expect { try await log.commit(LogUnit(group: "g", state: [change("x", "1")], lease: lease)) } throws: {
                ($0 as? EventLogError)?.code == .fenced(group: "g", topic: "in", partition: 0)
            }
            #expect(try await log.savedState(group: "g", partition: 0).entries.isEmpty)
        }
    }

    @Test(arguments: ["", "flip a byte", "truncated", "empty", "other version", "other cluster", "old"])
    func `the local copy of a state counts only when it is whole and present`(damage: String) async throws {
        let cluster = try makeCluster()
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-state-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = "\(directory)/g-in-0.state"
        try await cluster.withLog {
            $0.cacheDirectory = directory
        } _: { log in
            let lease = try #require(try await log.take(0, owner: "a"))
            _ = try await log.savedState(group: "g", partition: 0)
            try await log.commit(LogUnit(group: "g", state: [change("a", "1")], lease: lease))
            try await log.release(lease)
        }
        // What only the copy says tells whether it was used.
        let marked = StateCache(directory: directory, stamp: damage == "other cluster" ? "elsewhere" : try await stamp(cluster))
        var image = try #require(try StateCache(directory: directory, stamp: try await stamp(cluster)).read(group: "g-in", partition: 0))
        image.apply(key: Array("scopy".utf8), value: [1])
        if damage == "old" { image.position -= 1 }
        try marked.write(image, group: "g-in", partition: 0)
        var bytes = try Data(contentsOf: URL(filePath: path))
        switch damage {
        case "flip a byte": bytes[bytes.count / 2] ^= 1
        case "truncated": bytes = bytes.prefix(bytes.count - 20)
        case "empty": bytes = Data()
        case "other version":
            bytes[7] += 1
            bytes = bytes.dropLast(32) + Data(SHA256.hash(data: bytes.dropLast(32)))
        default: break
        }
        try bytes.write(to: URL(filePath: path))
        try await cluster.withLog {
            $0.cacheDirectory = directory
        } _: { log in
            #expect(try await log.take(0, owner: "b") != nil)
            let saved = try await log.savedState(group: "g", partition: 0)
            #expect(saved["a"] == Array("1".utf8))
            #expect((saved["copy"] != nil) == damage.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    private func stamp(_ cluster: MockCluster) async throws -> String {
        var stamp = ""
        try await cluster.withLog { stamp = $0.cluster }
        return stamp
    }

    @Test func `state of groups without a lease is kept too`() async throws {
        let cluster = try makeCluster()
        cluster.create("source.x.changelog", partitions: 1)
        try await cluster.withLog { log in
            try await log.commit(LogUnit(group: "source/x", state: [change("start", "5")]))
            #expect(try await log.savedState(group: "source/x", partition: 0)["start"] == Array("5".utf8))
        }
    }

    @Test func `the names of changelogs and groups begin with the project's prefix once`() {
        #expect(Changelog.topic(of: "features/dev-trades", prefix: "dev-") == "dev-features.dev-trades.changelog")
        #expect(Changelog.topic(of: "dev-x", prefix: "dev-") == "dev-x.changelog")
        #expect(Changelog.topic(of: "produce/x/backfill", prefix: "") == "produce.x.backfill.changelog")
    }

    @Test func `each group has a changelog of its own, whatever letters its name has`() {
        let letters = ["", "/", ".", "..", " ", "é", "_", "-", "a", "2", "20", "2f", "2e", "A", "\u{1}"]
        let middles = letters.flatMap { first in letters.flatMap { second in letters.map { first + second + $0 } } }
        let groups = Set(middles.map { "serve-stream/x\($0)y" })
        let names = groups.map { Changelog.identifier(of: $0, prefix: "dev-") }
        #expect(Set(names).count == groups.count && groups.count > 1_000)
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
        #expect(names.allSatisfy { $0.allSatisfy(allowed.contains) })
    }
}
