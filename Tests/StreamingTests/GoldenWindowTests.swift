import Domain
import Expressions
import Foundation
import Table
import Testing

@testable import Streaming

/// Windows against the output of quixstreams 3.28 on the same events.
///
/// Open and close are left out on purpose: the reference takes them by arrival, we by event time.
@Suite struct GoldenWindowTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../shared/golden/streaming/windows")

    private struct Event: Decodable { let key: String, ts: Int64, price: Double, qty: Double, i: Int }
    private struct Window: Decodable { let key: String, emit_ts: Int64, high: Double, low: Double, volume: Double, n: Int64, start: Int64 }
    private struct Late: Decodable { let i: Int, late_by_ms: Int64, start: Int64 }

    private func lines<T: Decodable>(_ name: String, as type: T.Type) throws -> [T] {
        try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(type, from: Data($0.utf8))
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: folder.path)), arguments: [(0, "g0"), (10_000, "g10")] as [(Int64, String)])
    func `golden tumbling windows and late lists equal the reference's`(grace: Int64, name: String) throws {
        let events = try lines("events.jsonl", as: Event.self)
        let keys = Array(Set(events.map(\.key))).sorted()
        let shape = try WindowShape(length: 60_000, grace: grace, fillsGaps: false, maxGap: 0)
        let calls = [
            AggregateCall(kind: .max, argument: 0, type: .double), AggregateCall(kind: .min, argument: 0, type: .double),
            AggregateCall(kind: .sum, argument: 1, type: .double), AggregateCall(kind: .count, argument: nil, type: .int),
        ]
        var windows = WindowedAggregation(shape: shape, calls: calls, argumentTypes: [.double, .double])
        windows.growKeys(to: keys.count)
        let steps = try events.enumerated().map { index, event in
            WindowStep(.event(row: index), key: try #require(keys.firstIndex(of: event.key)), time: event.ts, offset: Int64(index))
        }
        let closed = windows.process(
            steps, arguments: [Column("price", doubles: events.map(\.price)), Column("qty", doubles: events.map(\.qty))])

        let expected = try lines("tumbling60s_\(name)_final_key.jsonl", as: Window.self)
        #expect(closed.count == expected.count)
        for (index, window) in expected.enumerated() {
            #expect(keys[closed.keys[index]] == window.key && closed.starts[index] == window.start && window.emit_ts == window.start)
            #expect(closed.results[0][index] == .double(window.high) && closed.results[1][index] == .double(window.low))
            #expect(abs((closed.results[2][index].number ?? .nan) - window.volume) <= 1e-9 * max(1, abs(window.volume)))
            #expect(closed.results[3][index] == .int(window.n))
        }
        let late = try lines("tumbling60s_\(name)_final_key.late.jsonl", as: Late.self)
        #expect(closed.late.map(\.step) == late.map { late in events.firstIndex { $0.i == late.i } ?? -1 })
        #expect(closed.late.map(\.lateBy) == late.map(\.late_by_ms))
        #expect(closed.late.map(\.windowStart) == late.map(\.start))
    }
}
