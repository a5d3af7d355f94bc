import Domain
import EventLog
import Expressions
import Features
import Foundation
import Testing

@testable import FeatureStore

@Suite struct OnlineCellsTests {
    @Test func `cells are the latest row's JSON text with its time, and go when the entity is deleted`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-cells-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        try await log.createTopics([.init(name: "v.latest", partitions: 2, isCompacted: true)])
        let input = ViewSchema(key: [("user", .int)], declared: [("user", .int), ("x", .double), ("s", .string)], metadata: .event)
        let definition = ViewDefinition(
            name: "view", topic: "v", from: .view("input"), window: nil,
            columns: try ["x", "s"].map { .init(name: $0, expression: try Expression.parse($0)) }, filter: nil)
        let cells = OnlineCells(view: try CompiledView(definition, input: input), log: log)
        func put(_ user: Int64, _ value: String?) async throws {
            try await log.append(
                [Record(key: Array(String(user).utf8), value: value.map { Array($0.utf8) }, timestamp: 0)], to: "v.latest")
            try await cells.refresh()
        }
        var keys = TextList()
        for key in ["1", "", "2"] { keys.append { $0 += key.utf8 } }
        func text(_ column: Int) -> [String?] {
            cells.rows(for: keys).map { row in
                row.map { String(decoding: $0.cell(column), as: UTF8.self) }
            }
        }
        #expect(!cells.isReady)
        try await put(1, #"{"user":1,"x":-0.5,"s":"nü","event_time_ms":1}"#)
        #expect(cells.isReady && cells.columns == ["user", "x", "s", "event_time_ms"])
        try await put(2, #"{"user":2,"x":null,"s":null,"event_time_ms":86400000}"#)
        #expect(text(1) == ["-0.5", nil, "null"])
        #expect(text(2) == ["\"nü\"", nil, "null"])
        #expect(cells.rows(for: keys)[2].map { String(decoding: $0.time, as: UTF8.self) } == "\"1970-01-02T00:00:00Z\"")
        try await put(1, #"{"user":1,"x":2,"s":"n","event_time_ms":2}"#)
        #expect(text(1)[0] == "2.0" && text(2)[0] == "\"n\"")
        try await put(1, nil)
        #expect(text(1)[0] == nil && cells.count == 1)
    }
}
