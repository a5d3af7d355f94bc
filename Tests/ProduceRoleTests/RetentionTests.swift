import Domain
import EventLog
import Project
import TestLogs
import Testing

@testable import ProduceRole

@Suite struct RetentionTests {
    @Test func `an event as old as what is kept goes, an older one is refused with the remedy`() throws {
        let retention = Retention(topic: "trades", kept: 3_600_000)
        try retention.check([100_000_000 - 3_600_000, 100_000_000, .min, .max], now: 100_000_000)
        #expect {
            try retention.check([100_000_000, 100_000_000 - 3_600_001], now: 100_000_000)
        } throws: { error in
            "\(error)".contains("1970-01-02T02:46:39.999Z") && "\(error)".contains("keeps 1h of event time")
                && "\(error)".contains("--entity-name trades --add-config retention.ms=-1")
        }
        try Retention(topic: "trades", kept: nil).check([0], now: .max)
        try retention.check([], now: .max)
    }

    @Test func `a source of old events is refused before anything of it is written`() async throws {
        let folder = try Folder()
        let log = ShortLog(inner: try await folder.log(), kept: 60_000)
        // The clock of the tests stands at 1,000,000 seconds; the source begins at 0.
        let producer = testProducer(log) { PartedSource { synthetic(.init(pairs: ["A"], rate: 10, seed: 1), duration: 600_000) } }
        await #expect(throws: Retention.Refused.self) { try await producer.run() }
        try await producer.release()
        #expect(try await log.endOffset(topic: "trades", partition: 0) == 0)
        let recent = testProducer(log) {
            PartedSource { synthetic(.init(pairs: ["A"], rate: 10, seed: 1), start: 999_950_000, duration: 10_000) }
        }
        try await recent.run()
        #expect(try await log.endOffset(topic: "trades", partition: 0) > 50)
    }
}

/// A log whose topics keep records for a short while, as a cluster's may.
private struct ShortLog: ForwardingLog {
    let inner: any EventLog
    let kept: Int64

    func retention(of topic: String) async throws -> Int64? { kept }
}
