import Testing
import Web

@testable import Tracking

@Suite struct TraceSearchTests {
    /// Four traces: a session of two, one that failed in a language model, one without a name.
    private func fixture() async throws -> TraceFixture {
        let fixture = try await TraceFixture()
        let session = [KeyValue("mlflow.trace.session", "s1")]
        try await fixture.trace(
            TraceFixture.id(1), at: 10, took: 100, metadata: session, tags: [KeyValue("mlflow.traceName", "chat"), KeyValue("team", "a")])
        try await fixture.trace(TraceFixture.id(2), at: 20, took: 300, metadata: session, tags: [KeyValue("mlflow.traceName", "chat")])
        try await fixture.trace(
            TraceFixture.id(3), at: 30, took: 200, .error, metadata: [KeyValue("mlflow.sourceRun", "run-1")],
            tags: [KeyValue("mlflow.traceName", "search"), KeyValue("team", "b")])
        try await fixture.trace(TraceFixture.id(4), at: 40)
        try await fixture.spans(
            3,
            [
                .init(id: 1, name: "root", attributes: [.init("mlflow.spanInputs", .object([.init("q", .string("refund please"))]))]),
                .init(
                    id: 2, parent: 1, name: "llm", status: .error,
                    attributes: [.init("mlflow.spanType", .string("LLM")), .init("model", .string("gpt-4")), .init("depth", .int(3))]),
            ])
        try await fixture.store.link(traces: [TraceFixture.id(4)], toRun: "run-1")
        try await fixture.store.link(trace: TraceFixture.id(4), toPrompts: ["p/1"])
        for (trace, name, kind, value, metadata) in [
            (1, "good", .feedback, .bool(true), [KeyValue("mlflow.trace.session", "s1")]), (3, "good", .feedback, .string("yes"), []),
            (3, "score", .feedback, .double(0.75), []), (3, "answer", .expectation, .string("42"), []),
        ] as [(UInt8, String, Assessment.Kind, JSONValue, [KeyValue])] {
            _ = try await fixture.store.create(
                Assessment(
                    id: "", traceID: TraceFixture.id(trace), kind: kind, name: name, value: value, sourceType: "CODE", createTime: 1,
                    lastUpdateTime: 1, metadata: metadata))
        }
        return fixture
    }

    @Test(
        arguments: [
            ("", [4, 3, 2, 1]), ("status = 'ERROR'", [3]), ("trace.status != 'OK'", [3]), ("status IN ('ERROR', 'X')", [3]),
            ("name = 'chat'", [2, 1]), ("attributes.name LIKE 'Ch%'", []), ("name ILIKE 'Ch%'", [2, 1]), ("name RLIKE '^s.*h$'", [3]),
            ("name IS NULL", [4]), ("name IS NOT NULL", [3, 2, 1]), ("timestamp_ms >= 20 AND timestamp < 40", [3, 2]),
            ("execution_time > 150", [3, 2]), ("execution_time_ms <= 100", [1]), ("end_time = 230", [3]),
            ("tags.team = 'a'", [1]), ("tag.team != 'a'", [3]), ("tags.team IS NULL", [4, 2]), ("tags.`mlflow.traceName` = 'search'", [3]),
            ("metadata.mlflow.trace.session = 's1'", [2, 1]), ("request_metadata.mlflow.sourceRun RLIKE 'run'", [3]),
            ("run_id = 'run-1'", [4, 3]), ("trace.run_id != 'run-1'", []), ("prompt = 'p/1'", [4]),
            ("span.name = 'llm'", [3]), ("span.name = 'llm' AND span.status = 'ERROR'", [3]),
            ("span.name = 'root' AND span.status = 'ERROR'", []),
            ("span.type IN ('LLM', 'TOOL')", [3]), ("span.attributes.model = 'gpt-4'", [3]), ("span.attributes.model LIKE 'gpt%'", [3]),
            ("span.attributes.model RLIKE '^gpt-[0-9]$'", [3]), ("span.attributes.depth = '3'", [3]), ("span.attributes.none != 'x'", []),
            ("span.content LIKE '%refund%'", [3]), ("trace.text ILIKE '%REFUND please%'", [3]),
            ("feedback.good = 'true'", [2, 1]), ("feedback.good = 'yes'", [3]), ("feedback.good != 'yes'", [2, 1]),
            ("feedback.good LIKE 'y%'", [3]), ("feedback.good IS NOT NULL", [3, 2, 1]), ("feedback.good IS NULL", [4]),
            ("feedback.score > 0.5", [3]), ("feedback.score > 0.8", []), ("expectation.answer = '42'", [3]),
            ("expectation.good IS NULL", [4, 3, 2, 1]),
            ("issue.id = 'x'", []), ("request_id = 'tr-x'", []),
        ] as [(String, [UInt8])])
    func `traces are found by`(filter: String, expected: [UInt8]) async throws {
        #expect(try await fixture().found(filter) == expected.map { TraceFixture.id($0) }, "\(filter)")
    }

    @Test(
        arguments: [
            (["execution_time_ms"], [1, 3, 2, 4]), (["execution_time DESC"], [2, 3, 1, 4]), (["timestamp_ms ASC"], [1, 2, 3, 4]),
            (["name", "timestamp_ms ASC"], [1, 2, 3, 4]), (["tags.team DESC"], [3, 1, 4, 2]),
            (["metadata.mlflow.trace.session"], [2, 1, 4, 3]),
            (["status", "request_id DESC"], [3, 4, 2, 1]),
        ] as [([String], [UInt8])])
    func `traces are ordered by`(order: [String], expected: [UInt8]) async throws {
        let fixture = try await fixture()
        #expect(try await fixture.found(order: order) == expected.map { TraceFixture.id($0) })
        for size in 1...3 {
            var search = TraceSearch(experiments: ["0"]), joined: [String] = []
            search.order = order
            search.maxResults = size
            repeat {
                let page = try await fixture.store.search(search)
                joined += page.elements.map(\.id)
                search.pageToken = page.nextPageToken
            } while search.pageToken != nil && joined.count < 10
            #expect(joined == expected.map { TraceFixture.id($0) }, "in pages of \(size)")
        }
    }

    @Test(arguments: [
        "foo = 'x'", "status = 3", "span.name > 'x'", "span.foo = 'x'", "span.name IS NULL", "span.content = 'x'", "span.attributes. = 'x'",
        "feedback.x > 'y'", "feedback.x = 3", "feedback.x IN ('a')", "tags.x > 'a'", "prompt LIKE 'x'", "prompt = 'x'", "issue.id > 'x'",
        "issue.x = 'y'", "metadata.x IN ('a')", "execution_time IN ('1')", "request_id RLIKE '['", "status = 'OK' OR status = 'ERROR'",
        "request_id IS NOT NULL", "metrics.a > 1", "run_id = 3", "timestamp RLIKE '1'", "span.attributes.`a\"b` = 'c'",
    ])
    func `what is not defined is refused`(filter: String) async throws {
        let fixture = try await fixture()
        #expect(await refusal { try await fixture.found(filter) } == .invalidParameter, "\(filter)")
    }

    @Test func `patterns stay out of the other searches`() async throws {
        let fixture = try await StoreFixture()
        #expect(await refusal { try await fixture.names("run_name RLIKE 'a'") } == .invalidParameter)
    }

    /// A wrong index would show here: the page's rows must come out of it in order.
    @Test(arguments: [[], ["timestamp_ms DESC"], ["execution_time_ms ASC"], ["execution_time_ms DESC"]])
    func `usual orders are read off an index`(order: [String]) async throws {
        let fixture = try await fixture()
        var search = TraceSearch(experiments: ["0"])
        search.order = order
        let plan = try await fixture.store.plan(of: search)
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
    }

    @Test func `two properties that always come together correlate fully`() async throws {
        let fixture = try await fixture()
        let found = try await fixture.store.correlation(experiments: ["0"], "status = 'ERROR'", "name = 'search'", base: "")
        #expect(found == TraceCorrelation(first: 1, second: 1, both: 1, total: 4) && found.npmi == 1)
        #expect(TraceCorrelation(first: 2, second: 2, both: 0, total: 4).npmi == -1)
        #expect(abs((TraceCorrelation(first: 2, second: 2, both: 1, total: 4).npmi ?? 1)) < 1e-12)
        #expect(TraceCorrelation(first: 0, second: 2, both: 0, total: 4).npmi == nil)
        // One of two with both, from the reference.
        #expect(abs((TraceCorrelation(first: 1, second: 1, both: 1, total: 2).smoothed ?? 0) - 0.41339010522284747) < 1e-12)
    }

    @Test func `random filters are read or refused`() async throws {
        let fixture = try await fixture()
        var generator = SeededGenerator(seed: 31)
        let pieces = [
            "span", "feedback", "tags", "trace", "metadata", "issue", "name", "status", "text", "attributes", ".", "`a b`", "'x'", "'%'",
            "=",
            "!=", ">", " AND ", " IN ", "(", ")", "1", " IS NULL", " LIKE ", " RLIKE ", "'['", "prompt", "run_id", "\"", " ",
        ]
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 1...8, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            let code = await refusal { try await fixture.found(text) }
            #expect(code == nil || code == .invalidParameter, "\(text)")
        }
    }
}
