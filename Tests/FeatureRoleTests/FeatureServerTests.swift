import Domain
import EventLog
import Expressions
import FeatureStore
import Features
import Foundation
import HTTPTypes
import NIOCore
import Table
import Testing
import Web

@testable import FeatureRole

/// Two views of one key, one of another, with rows in the log.
private struct Fixture {
    let log: any EventLog
    let stream: StreamDefinition
    let catalogue: OnlineCatalogue

    static func with(ttl: [String: Int64] = [:], _ body: (Fixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-server-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        let stream = StreamDefinition(
            name: "clicks", topic: "clicks", key: ["user"], time: "at",
            fields: [
                .init("user", .int), .init("price", .double), .init("note", .string, isOptional: true), .init("at", .time),
            ], dedupe: nil, require: [.init(field: "price", text: "> 0", condition: try Expression.parse("price > 0"))])
        func view(_ name: String, _ columns: [(String, String)]) throws -> ViewDefinition {
            ViewDefinition(
                name: name, topic: name, from: .stream("clicks"), window: nil,
                columns: try columns.map { .init(name: $0.0, expression: try Expression.parse($0.1)) }, filter: nil)
        }
        let views = try CompiledViews(
            of: stream,
            definitions: [try view("a", [("x", "price"), ("note", "note")]), try view("b", [("x", "price * 2"), ("y", "price + 1")])])
        try await log.createTopics(StreamTopics.plans(streams: [stream], views: views.views.map(\.definition)))
        for (topic, name) in [("a", "\"x\":1.5,\"note\":null"), ("b", "\"x\":3.0,\"y\":2.5")] {
            let value = "{\"user\":7,\(name),\"event_time_ms\":60001}"
            try await log.append([Record(key: Array("7".utf8), value: Array(value.utf8), timestamp: 60_001)], to: topic + ".latest")
        }
        let cells = views.views.map { OnlineCells(view: $0, log: log) }
        for view in cells { try await view.refresh() }
        let store = FeatureStoreDefinition(
            ttl: ttl, services: [.init(name: "both", features: [.init(view: "b", column: "y"), .init(view: "a", column: "x")])])
        try await body(Fixture(log: log, stream: stream, catalogue: OnlineCatalogue(project: "shop", views: cells, store: store)))
    }

    func answer(_ body: String, now: Int64 = 60_001) throws(FeastFailure) -> String {
        String(buffer: OnlineAnswer.json(try OnlineRequest(Array(body.utf8), catalogue), now: now))
    }

    func failure(_ body: String) throws -> FeastFailure? {
        do throws(FeastFailure) {
            _ = try answer(body)
            return nil
        } catch {
            return error
        }
    }

    func push(_ body: String, now: Int64 = 100_000) throws(FeastFailure) -> [Record] {
        try PushRequest(Array(body.utf8), streams: [stream], now: now).records
    }
}

@Suite struct FeatureServerTests {
    private static let epoch = "\"1970-01-01T00:00:00Z\""

    @Test func `the answer is Feast's, column by column: keys first, features by view, an unknown entity not found`() async throws {
        try await Fixture.with { fixture in
            let text = try fixture.answer(
                #"{"features":["a:x","b:y","a:note"],"entities":{"user":[7,8],"other":[1,2]},"full_feature_names":false}"#)
            let at = "\"1970-01-01T00:01:00.001Z\""
            #expect(
                text
                    == #"{"results":[{"values":[7,8],"statuses":["PRESENT","PRESENT"],"event_timestamps":[\#(Self.epoch),\#(Self.epoch)]},"#
                    + #"{"values":[1.5,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":[\#(at),\#(Self.epoch)]},"#
                    + #"{"values":[null,null],"statuses":["NULL_VALUE","NOT_FOUND"],"event_timestamps":[\#(at),\#(Self.epoch)]},"#
                    + #"{"values":[2.5,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":[\#(at),\#(Self.epoch)]}],"#
                    + #""metadata":{"feature_names":["user","x","note","y"]}}"#)
        }
    }

    @Test func `full names tell features of one name apart, which are an error without them`() async throws {
        try await Fixture.with { fixture in
            let text = try fixture.answer(#"{"features":["b:x","a:x"],"entities":{"user":["7"]},"full_feature_names":true}"#)
            #expect(text.hasSuffix(#""metadata":{"feature_names":["user","b__x","a__x"]}}"#))
            #expect(text.contains(#"{"values":[3.0],"#) && text.hasPrefix(#"{"results":[{"values":[7],"#))
            let failure = try fixture.failure(#"{"features":["b:x","a:x"],"entities":{"user":[7]}}"#)
            #expect(failure?.type == "FeatureNameCollisionError" && failure?.status.code == 422)
        }
    }

    @Test func `a service is a list of features, and a view is a service of its own`() async throws {
        try await Fixture.with { fixture in
            let both = try fixture.answer(#"{"feature_service":"both","entities":{"user":[7]}}"#)
            #expect(both.hasSuffix(#""metadata":{"feature_names":["user","y","x"]}}"#))
            let view = try fixture.answer(#"{"feature_service":"b","entities":{"user":[7]}}"#)
            #expect(view.hasSuffix(#""metadata":{"feature_names":["user","x","y"]}}"#))
        }
    }

    @Test(
        arguments: [(60_000 + 1 + 1_000, "PRESENT", "1.5"), (60_000 + 1 + 1_001, "OUTSIDE_MAX_AGE", "null")] as [(Int64, String, String)])
    func `a row older than its view's limit is outside its age and has no value`(now: Int64, status: String, value: String) async throws {
        try await Fixture.with(ttl: ["a": 1_000]) { fixture in
            let text = try fixture.answer(#"{"features":["a:x","b:y"],"entities":{"user":[7]}}"#, now: now)
            #expect(text.contains(#"{"values":[\#(value)],"statuses":["\#(status)"],"event_timestamps":["1970-01-01T00:01:00.001Z"]}"#))
            #expect(text.contains(#"{"values":[2.5],"statuses":["PRESENT"]"#))
        }
    }

    @Test func `an entity that cannot be one is not found`() async throws {
        try await Fixture.with { fixture in
            let text = try fixture.answer(#"{"features":["a:x"],"entities":{"user":[null]}}"#)
            #expect(text.contains(#"{"values":[null],"statuses":["NOT_FOUND"]"#))
        }
    }

    @Test(
        arguments: [
            (#"{"features":["c:x"],"entities":{"user":[7]}}"#, 404, "Feature view c does not exist in project shop"),
            (#"{"feature_service":"c","entities":{"user":[7]}}"#, 404, "Feature service c does not exist in project shop"),
            (#"{"features":["a:z"],"entities":{"user":[7]}}"#, 422, "Feature z not found in projection a"),
            (#"{"features":["a"],"entities":{"user":[7]}}"#, 422, "Invalid feature reference 'a'"),
            (#"{"features":[],"entities":{"user":[7]}}"#, 422, "No features specified"),
            (#"{"features":["a:x"],"entities":{"usr":[7]}}"#, 422, "Missing join key values for keys: ['user']"),
            (#"{"features":["a:x"],"entities":{"user":[]}}"#, 422, "Missing join key values"),
            (#"{"features":["a:x"],"entities":{"user":["x"]}}"#, 422, "join key \"user\" is int"),
            (#"{"features":["a:x"]}"#, 422, "\"entities\" must be an object"),
            (#"{"features":"#, 422, "the body is not JSON"), (#"[]"#, 422, "the body must be a JSON object"),
        ] as [(String, Int, String)])
    func `what cannot be answered is told with Feast's words and a fitting status`(body: String, status: Int, words: String) async throws {
        try await Fixture.with { fixture in
            let failure = try #require(try fixture.failure(body))
            #expect(failure.status.code == status)
            #expect(failure.message.contains(words))
        }
    }

    @Test(
        arguments: [
            #"{"features":["a:x","b:y"],"entities":{"user":[7]}}"#, #"{"features":["a:x","b:y"],"entities":{"user":[8, 7 ,0]}}"#,
            #"{"features":["a:x","b:y"],"entities":{"user":[-7,123456789012345678]}}"#,
            #"{"features":["a:x","b:y"],"entities":{"user":["7",null,7.0]}}"#,
            #"{"features":["a:x","b:y"],"entities": { "user" : [ 9223372036854775807 ] } }"#,
            #"{"features":["a:x","b:y"],"entities":{"user":[7],"other":[1]}}"#,
            #"{"entities":{"user":[7]},"features":["a:x","b:y"]}"#, #"{"entities":{"user":[7]},"features":["b:y"]}"#,
            #"{"features":["a:x","b:x"],"entities":{"user":[7]},"full_feature_names":true}"#,
            #"{"features":["a:x","b:x"],"entities":{"user":[7]},"full_feature_names":false}"#,
            #"{"features":["a:x","b:y"],"entities":{"user":[]}}"#, #"{"features":["a:x","b:y"],"entities":{"user":[007]}}"#,
            #"{"features":["a:x","b:y"],"entities":{"user":[-0]}}"#, #"{"features":["a:x","b:y"],"entities":{"user":[7]]}"#,
            #"{"features":["a:x","b:y"],"entities":{"user":[7],"user":[8]}}"#, #"{"features":["a:x","b:y"],"entities":{"user":[7,]}}"#,
            #"{"features":["a:x","b:y"],"entities":{"user":[7]},"entities":{"user":[8]}}"#,
            #"{"features":["a:x","b:y"],"entities":{"user":[7]}}"#, #"{"features":["a:x","b:y"],"entities":{}}"#,
        ])
    func `a request that is known by the text around its entities is answered as one that is not`(body: String) async throws {
        try await Fixture.with { fixture in
            let known = KnownRequests(fixture.catalogue)
            func again(_ body: String) -> Result<String, FeastFailure> {
                let bytes = Array(body.utf8)
                return bytes.withUnsafeBytes { bytes in
                    Result { () throws(FeastFailure) in try known.request(bytes) }.map {
                        String(buffer: OnlineAnswer.json($0, now: 60_001))
                    }
                }
            }
            for lesson in [
                #"{"features":["a:x","b:y"],"entities":{"user":[1]}}"#, #"{"entities":{"user":[1]},"features":["a:x","b:y"]}"#,
                #"{"entities":{"user":[1]},"features":["b:y"]}"#,
                #"{"features":["a:x","b:x"],"entities":{"user":[1]},"full_feature_names":true}"#,
            ] { _ = again(lesson) }
            #expect(again(body) == Result { () throws(FeastFailure) in try fixture.answer(body) })
        }
    }

    @Test func `a server remembers a bounded number of feature lists, the latest`() async throws {
        try await Fixture.with { fixture in
            let known = KnownRequests(fixture.catalogue)
            for space in 0..<(KnownRequests.limit + 10) {
                let body = Array((String(repeating: " ", count: space) + #"{"features":["a:x"],"entities":{"user":[7]}}"#).utf8)
                _ = try body.withUnsafeBytes { bytes in Result { () throws(FeastFailure) in try known.request(bytes) } }.get()
            }
            #expect(known.count == KnownRequests.limit)
        }
    }

    @Test func `an entity of several keys, some of them text, is looked up as its record is keyed`() async throws {
        var column = KeyColumn(), other = KeyColumn()
        for value in [Value.string("a\"b"), .string(""), .null, .string("é")] { column.append(value) }
        for value in [Value.int(-5), .int(1), .int(2), .int(3)] { other.append(value) }
        try await Fixture.with { fixture in
            let view = try #require(fixture.catalogue.views["a"])
            let plan = try OnlinePlan([.init(view: "a", column: "x")], full: false, fixture.catalogue)
            let part = OnlinePlan.Part(view: view, columns: [0], keys: [0, 1], ttl: 0)
            let keys = OnlineRequest(plan: plan, keys: [column, other]).entities(of: part)
            let texts = (0..<keys.count).map { String(decoding: keys.bytes[keys.range($0)], as: UTF8.self) }
            #expect(texts == [#"["a\"b",-5]"#, "", "", #"["é",3]"#])
            #expect(try EntityKey([.string("a\"b"), .int(-5)]).description == texts[0])
        }
    }

    @Test func `an error of Feast's own is a JSON string that holds a JSON object`() throws {
        let failure = FeastFailure.noView("c", project: "shop")
        #expect(
            String(decoding: failure.body, as: UTF8.self)
                == #""{\"module\": \"feast.errors\", \"class\": \"FeatureViewNotFoundException\", "#
                + #"\"message\": \"Feature view c does not exist in project shop\"}""#)
        let text = try #require(try JSONReader.read(failure.body).string)
        #expect(try JSONReader.read(Array(text.utf8))["class"]?.string == "FeatureViewNotFoundException")
    }

    @Test func `pushed columns become events of the stream, canonical, keyed and stamped`() async throws {
        try await Fixture.with { fixture in
            let records = try fixture.push(
                #"{"push_source_name":"clicks","df":{"event_timestamp":["1970-01-01T00:00:01Z",2000],"price":[1,"2.5"],"user":["7",8]}}"#)
            #expect(records.map(\.timestamp) == [1_000, 2_000])
            #expect(records.map { $0.key.map { String(decoding: $0, as: UTF8.self) } } == ["7", "8"])
            #expect(
                records.map { $0.value.map { String(decoding: $0, as: UTF8.self) } } == [
                    #"{"user":7,"price":1.0,"note":null,"at":1000}"#, #"{"user":8,"price":2.5,"note":null,"at":2000}"#,
                ])
            #expect(records[0].header(HeaderName.ingestedAt) == Array("100000".utf8))
        }
    }

    @Test(
        arguments: [
            ([1, 2, 4], "3 of 5 rows of \"df\" are not known to be stored; push these again, and no others: 2-3, 5"),
            ([4], "1 of 5 rows of \"df\" are not known to be stored; push these again, and no others: 5"),
            ([0, 1, 2, 3, 4], "no event is known to be stored; push them again"), (nil, "no event is known to be stored; push them again"),
        ] as [([Int]?, String)])
    func `a push that was stored in part says which rows to send again`(unwritten: [Int]?, words: String) async throws {
        try await Fixture.with { fixture in
            let body = #"{"push_source_name":"clicks","df":{"user":[7,7,8,9,7],"price":[1,2,1,1,3],"at":[1,1,1,1,2]}}"#
            let push = try PushRequest(Array(body.utf8), streams: [fixture.stream], now: 100_000)
            let failure = push.failure(unwritten: unwritten.map { $0.map { push.records[$0] } })
            #expect(failure.message == words && failure.status == .serviceUnavailable)
        }
    }

    @Test(
        arguments: [
            (#"{"push_source_name":"nope","df":{"user":[7]}}"#, "Unable to find push source 'nope'."),
            (#"{"push_source_name":"clicks","df":{"user":[7]},"to":"moon"}"#, "moon is not a supported push format"),
            (#"{"push_source_name":"clicks","df":{"user":[7,8],"price":[1],"at":[1,2]}}"#, "\"price\" of \"df\" has 1 values"),
            (
                #"{"push_source_name":"clicks","df":{"user":[7,8],"price":[1,-1],"at":[1,2]}}"#,
                "row 2 of \"df\": field \"price\" must be > 0"
            ),
            (#"{"push_source_name":"clicks","df":{"user":[7],"price":[1]}}"#, "row 1 of \"df\""),
            (#"{"push_source_name":"clicks","df":{"price":[1],"at":[1]}}"#, "row 1 of \"df\""),
            (#"{"push_source_name":"clicks","df":{"user":[7],"price":[1],"at":[900000]}}"#, "more than 5 minutes ahead"),
            (#"{"push_source_name":"clicks","df":{"user":[]}}"#, "\"df\" has no rows"),
            (#"{"push_source_name":"clicks","df":[]}"#, "\"df\" must be an object of lists"),
        ] as [(String, String)])
    func `a push that the engine would refuse is refused whole, and says why`(body: String, words: String) async throws {
        try await Fixture.with { fixture in
            var message = ""
            do throws(FeastFailure) { _ = try fixture.push(body) } catch { message = error.message }
            #expect(message.contains(words), "\(message)")
        }
    }
}
