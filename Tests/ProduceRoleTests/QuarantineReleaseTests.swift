import Domain
import EventLog
import Expressions
import Features
import Testing

@testable import ProduceRole

@Suite struct QuarantineReleaseTests {
    private func view() throws -> CompiledView {
        let definition = ViewDefinition(
            name: "prices", topic: "p", from: .stream("trades"), window: nil,
            columns: [.init(name: "price", expression: try .parse("price"))], filter: nil,
            outliers: .init(column: "price", rule: .range(min: nil, max: 9), action: .quarantine))
        guard let view = try CompiledViews(of: tradeStream, definitions: [definition]).views.first else { throw CancellationError() }
        return view
    }

    private func held(_ price: Int, _ view: CompiledView, mark: String? = nil, isFinal: Bool = true) -> Record {
        let value = #"{"pair":"A","price":\#(price).0,\#(isFinal ? "" : #""is_final":false,"#)"event_time_ms":\#(price)}"#
        return Record(
            key: Array("A".utf8), value: Array(value.utf8), timestamp: Int64(price),
            headers: [
                .init("mlops-columns", mark.map { Array($0.utf8) } ?? view.mark.bytes), .init("mlops-ingested-at", "5"),
                .init("mlops-quarantine-reason", "price is \(price)"),
            ])
    }

    @Test func `each row goes to the stream once, as what it is`() async throws {
        let folder = try Folder(), view = try view()
        let log = try await folder.log(topics: ["trades", "p.quarantine"])
        try await log.append(
            [held(10, view), held(11, view, mark: "00000000"), held(12, view, isFinal: false), held(13, view)], to: "p.quarantine")
        let release = QuarantineRelease(view: view, stream: tradeStream, log: log, wall: { 77 })
        #expect(try await release.run(.init(reason: nil, limit: nil, isDry: true)).records == 2)
        #expect(try await release.run(.init(reason: "is 13", limit: nil, isDry: false)).records == 1)
        #expect(
            try await release.run(.init(reason: nil, limit: nil, isDry: false))
                == .init(
                    records: 1, reasons: ["price is 10": 1], before: 1, left: 2))
        #expect(try await release.run(.init(reason: nil, limit: nil, isDry: false)).records == 0)
        let found = try await log.read(topic: "trades", partition: 0, from: 0, limit: 100).records().map(\.record)
        #expect(found.map(\.timestamp) == [13, 10] && found.allSatisfy { $0.key == Array("A".utf8) })
        #expect(found[0].value == held(13, view).value && found[0].header("mlops-columns") == view.mark.bytes)
        #expect(found[0].header("mlops-release") == Array("prices".utf8) && found[0].header("mlops-ingested-at") == Array("77".utf8))
        #expect(found[0].header("mlops-origin") == Array("p.quarantine/0/3".utf8))
    }
}
