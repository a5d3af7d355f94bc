import GRDB
import Testing
import Web

@testable import Tracking

/// Traces in a store that goes with the test.
struct TraceFixture {
    let tracking: StoreFixture
    let store: TraceStore

    init() async throws {
        tracking = try await StoreFixture()
        store = TraceStore(database: tracking.store.database)
    }

    @discardableResult
    func trace(
        _ id: String, at time: Int64 = 1, took duration: Int64? = nil, _ state: TraceState = .ok, experiment: String = "0",
        metadata: [KeyValue] = [], tags: [KeyValue] = []
    ) async throws -> TraceInfo {
        try await store.start(
            TraceInfo(
                id: id, experimentID: experiment, requestTime: time, duration: duration, state: state, metadata: metadata, tags: tags))
    }

    func spans(_ trace: UInt8, _ spans: [Step], experiment: String = "0", run: String? = nil) async throws {
        let received = try spans.map { step in
            OTLPRequest.Received(span: try #require(step.draft(trace).span), resource: [.init("service.name", .string("svc"))])
        }
        try await store.log(received, experiment: experiment, run: run)
    }

    struct Step {
        var id: UInt8
        var parent: UInt8?
        var name = "step"
        var start: UInt64 = 1_000_000
        var end: UInt64 = 5_000_000
        var status = TraceSpan.Status.ok
        var attributes: [JSONValue.Member] = []

        func draft(_ trace: UInt8) -> SpanDraft {
            var draft = SpanDraft()
            (draft.trace, draft.id, draft.parent) = ([trace], [id], parent.map { [$0] } ?? [])
            (draft.name, draft.start, draft.end, draft.status, draft.attributes) = (name, start, end, status, attributes)
            return draft
        }
    }

    /// The id that ``spans(_:_:experiment:run:)`` gives.
    static func id(_ trace: UInt8) -> String { "tr-" + String(repeating: "0", count: 30) + "0\(trace)" }

    func found(_ filter: String = "", order: [String] = [], experiments: [String] = ["0"]) async throws -> [String] {
        var search = TraceSearch(experiments: experiments)
        search.filter = filter
        search.order = order
        return try await store.search(search).elements.map(\.id)
    }
}

@Suite struct TraceStoreTests {
    @Test func `spans that come before their trace make it, and what the client says then counts`() async throws {
        let fixture = try await TraceFixture(), id = TraceFixture.id(1)
        try await fixture.spans(1, [.init(id: 2, parent: 1, start: 3_000_000, end: 4_000_000)])
        var trace = try await fixture.store.trace(id: id)
        #expect(trace.state == .inProgress && trace.requestTime == 3 && trace.duration == 1 && trace.hasStoredSpans)
        #expect(trace.tag("service.name") == "svc" && trace.tag("mlflow.artifactLocation") == "mlflow-artifacts:/0/traces/\(id)/artifacts")
        try await fixture.spans(1, [.init(id: 1, start: 1_000_000, end: 9_000_000, status: .error)])
        trace = try await fixture.store.trace(id: id)
        #expect(trace.state == .error && trace.requestTime == 1 && trace.duration == 8)
        try await fixture.trace(id, at: 70, took: 5, .ok, tags: [KeyValue("mlflow.traceName", "asked")])
        trace = try await fixture.store.trace(id: id)
        #expect(trace.state == .ok && trace.requestTime == 70 && trace.duration == 5 && trace.tag("mlflow.traceName") == "asked")
        // A span that comes late moves nothing that the client has said.
        try await fixture.spans(1, [.init(id: 3, parent: 1, start: 1_000_000, end: 99_000_000)])
        trace = try await fixture.store.trace(id: id)
        #expect(trace.requestTime == 70 && trace.duration == 5)
        #expect(try await fixture.store.spans(ofTrace: id).map(\.id.last) == ["1", "3", "2"])
    }

    @Test func `tokens count once, however the spans arrive`() async throws {
        let usage: (Int64) -> [JSONValue.Member] = { count in
            [.init("mlflow.chat.tokenUsage", .object([.init("input_tokens", .int(count)), .init("total_tokens", .int(count))]))]
        }
        let parts: [[TraceFixture.Step]] = [
            [.init(id: 3, parent: 2, attributes: usage(5))], [.init(id: 2, parent: 1, attributes: usage(5))],
            [.init(id: 1), .init(id: 4, parent: 1, attributes: usage(7))],
        ]
        for order in [parts, parts.reversed(), [parts.flatMap(\.self)]] {
            let fixture = try await TraceFixture()
            for part in order { try await fixture.spans(1, part) }
            let told = try await fixture.store.trace(id: TraceFixture.id(1)).metadata("mlflow.trace.tokenUsage")
            #expect(told == #"{"input_tokens": 12, "output_tokens": 0, "total_tokens": 12}"#)
        }
    }

    @Test func `session, user and the client's own tags come out of the spans`() async throws {
        let fixture = try await TraceFixture()
        let attributes: [JSONValue.Member] = [
            .init("session.id", .string("s1")), .init("user.id", .string("ada")), .init("mlflow.traceTag.team", .string("prices")),
            .init("mlflow.traceTag.mlflow.trace.spansLocation", .string("elsewhere")),
            .init(
                "mlflow.spanInputs",
                .object([.init("messages", .array([.object([.init("role", .string("user")), .init("content", .string("hi"))])]))])),
        ]
        try await fixture.spans(1, [.init(id: 1, attributes: attributes)])
        let trace = try await fixture.store.trace(id: TraceFixture.id(1))
        #expect(trace.metadata("mlflow.trace.session") == "s1" && trace.metadata("mlflow.trace.user") == "ada")
        #expect(trace.tag("team") == "prices" && trace.hasStoredSpans && trace.requestPreview == "hi")
    }

    @Test func `tags are set, kept in step with the name, and removed`() async throws {
        let fixture = try await TraceFixture()
        try await fixture.trace("tr-a", tags: [KeyValue("mlflow.traceName", "old")])
        try await fixture.store.setTag(trace: "tr-a", KeyValue("mlflow.traceName", "new"))
        #expect(try await fixture.found("name = 'new'") == ["tr-a"])
        try await fixture.store.deleteTag(trace: "tr-a", key: "mlflow.traceName")
        #expect(try await fixture.found("name IS NULL") == ["tr-a"])
        #expect(await refusal { try await fixture.store.deleteTag(trace: "tr-a", key: "mlflow.traceName") } == .doesNotExist)
        #expect(await refusal { try await fixture.store.setTag(trace: "tr-b", KeyValue("a", "b")) } == .doesNotExist)
        #expect(
            await refusal { try await fixture.store.setTag(trace: "tr-a", KeyValue(String(repeating: "a", count: 251), "b")) }
                == .invalidParameter)
    }

    @Test func `traces go the oldest first, with everything that belongs to them`() async throws {
        let fixture = try await TraceFixture()
        for index in 1...4 { try await fixture.trace("tr-\(index)", at: Int64(index), tags: [KeyValue("a", "b")]) }
        try await fixture.store.link(traces: ["tr-1"], toRun: "r")
        let gone = try await fixture.store.delete(experiment: "0", until: 3, limit: 2, ids: [])
        #expect(gone == ["tr-1", "tr-2"])
        #expect(try await fixture.store.delete(experiment: "0", until: nil, limit: nil, ids: ["tr-4", "tr-9"]) == ["tr-4"])
        #expect(try await fixture.found() == ["tr-3"])
        let rest = try await fixture.store.database.read { db in
            try ["trace_tags", "trace_metadata", "trace_links", "spans"].map { table in
                try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table) WHERE trace NOT IN (SELECT seq FROM traces)") ?? -1
            }
        }
        #expect(rest == [0, 0, 0, 0])
        for (until, limit, ids) in [(nil, nil, []), (1, nil, ["a"]), (nil, 1, ["a"]), (1, 0, [])] as [(Int64?, Int64?, [String])] {
            #expect(
                await refusal { try await fixture.store.delete(experiment: "0", until: until, limit: limit, ids: ids) } == .invalidParameter
            )
        }
    }

    @Test func `an experiment that goes for good takes its traces along`() async throws {
        let fixture = try await TraceFixture()
        let experiment = try await fixture.tracking.store.createExperiment(name: "e", artifactLocation: nil, tags: [], now: 1)
        try await fixture.trace("tr-a", experiment: experiment)
        try await fixture.trace("tr-b")
        try await fixture.tracking.store.setExperimentStage(id: experiment, .deleted, now: 2)
        #expect(await refusal { try await fixture.trace("tr-c", experiment: experiment) } == .invalidParameter)
        #expect(try await fixture.store.trace(id: "tr-a").id == "tr-a", "until then it can come back")
        let garbage = try await fixture.tracking.store.collect(deletedBefore: 10, referred: { _, _ in "FALSE" })
        #expect(garbage.artifacts == ["\(experiment)/traces"])
        #expect(await refusal { try await fixture.store.trace(id: "tr-a") } == .doesNotExist)
        #expect(try await fixture.found() == ["tr-b"])
    }

    @Test func `an assessment takes the place of another until it goes`() async throws {
        let fixture = try await TraceFixture()
        try await fixture.trace("tr-a")
        func feedback(_ value: JSONValue, overrides: String? = nil) -> Assessment {
            Assessment(
                id: "", traceID: "tr-a", kind: .feedback, name: "good", value: value, sourceType: "HUMAN", createTime: 1, lastUpdateTime: 1,
                overrides: overrides)
        }
        let first = try await fixture.store.create(feedback(.bool(true)))
        let second = try await fixture.store.create(feedback(.bool(false), overrides: first.id))
        #expect(try await fixture.store.assessment(first.id, trace: "tr-a").isValid == false)
        #expect(try await fixture.found("feedback.good = 'true'").isEmpty)
        try await fixture.store.deleteAssessment(second.id, trace: "tr-a")
        #expect(try await fixture.found("feedback.good = 'true'") == ["tr-a"])
        #expect(await refusal { try await fixture.store.create(feedback(.null, overrides: "a-none")) } == .doesNotExist)
        var change = TraceStore.AssessmentChange()
        change.expectation = .int(1)
        let wrong = change
        let code = await refusal { try await fixture.store.update(first.id, trace: "tr-a", wrong, now: 2) }
        #expect(code == .invalidParameter)
    }
}
