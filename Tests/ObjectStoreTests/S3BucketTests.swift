import AsyncHTTPClient
import Domain
import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import Web

@testable import ObjectStore

/// A bucket that answers what a test says, in order, and remembers what it was asked.
private final class Script: Sendable {
    struct Answer {
        var status: HTTPResponseStatus = .ok
        var headers: HTTPHeaders = [:]
        var body = ""
        /// Nobody answers.
        var isSilent = false
    }

    private struct State {
        var answers: [Answer]
        var asked: [String] = []
        var bodies: [Int] = []
        var pauses = 0
    }

    private struct Silence: Error {}

    private let state: Mutex<State>

    init(_ answers: [Answer]) { state = Mutex(State(answers: answers)) }

    /// `GET /bucket/key?query`
    var asked: [String] { state.withLock { $0.asked } }
    var pauses: Int { state.withLock { $0.pauses } }
    var isDone: Bool { state.withLock { $0.answers.isEmpty } }

    func client(attempts: Int = 3) throws -> S3Client {
        var options = S3Options(
            endpoint: "http://host:1", environment: ["AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush"], now: { 0 })
        options.maxObjectBytes = 1
        return try S3Client(
            bucket: "abc", options: options, retry: .init(attempts: attempts),
            transport: { [self] request in
                let answer = state.withLock { state in
                    state.asked.append("\(request.method.rawValue) \(request.url.dropFirst("http://host:1".count))")
                    return state.answers.isEmpty ? Answer(status: .imATeapot) : state.answers.removeFirst()
                }
                if answer.isSilent { throw Silence() }
                return HTTPClientResponse(
                    status: answer.status, headers: answer.headers, body: .bytes(ByteBuffer(string: answer.body)))
            }, pause: { [self] _ in state.withLock { $0.pauses += 1 } })
    }

    func bucket(attempts: Int = 3, url: String = "s3://abc/p") throws -> S3Bucket {
        S3Bucket(place: try S3Place(url: url), client: try client(attempts: attempts))
    }
}

private func failure(_ body: () async throws -> some Any) async -> ObjectStoreError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? ObjectStoreError
    }
}

private func refusal(_ status: HTTPResponseStatus, _ code: String, headers: HTTPHeaders = [:]) -> Script.Answer {
    .init(status: status, headers: headers, body: "<Error><Code>\(code)</Code><Message>because</Message><Region>eu-west-1</Region></Error>")
}

@Suite struct S3BucketTests {
    private let path: ObjectPath

    init() throws { path = try ObjectPath("a b") }

    @Test func `what the store cannot do now is asked again, and no more often than the policy says`() async throws {
        let later = Script([refusal(.serviceUnavailable, "SlowDown"), .init(isSilent: true), .init(body: "xyz")])
        #expect(try await later.bucket().get(path, range: nil) == Array("xyz".utf8))
        #expect(later.asked == Array(repeating: "GET /abc/p/a%20b", count: 3) && later.pauses == 2)
        let never = Script(Array(repeating: refusal(.internalServerError, "InternalError"), count: 9))
        let error = await failure { try await never.bucket().get(path, range: nil) }
        #expect(error?.code == .unavailable && never.asked.count == 3)
        #expect(error?.description == "cannot get object \"a b\": the store answered 500, InternalError: because")
    }

    @Test(
        arguments: [
            (403, "AccessDenied", ObjectStoreError.Code.denied), (403, "SignatureDoesNotMatch", .denied),
            (403, "RequestTimeTooSkewed", .denied),
            (404, "NoSuchKey", .notFound), (404, "NoSuchBucket", .badSettings), (301, "PermanentRedirect", .badSettings),
            (400, "AuthorizationHeaderMalformed", .badSettings), (416, "InvalidRange", .outOfRange), (400, "Odd", .io),
            (501, "NotImplemented", .io),
        ] as [(Int, String, ObjectStoreError.Code)])
    func `a refusal is told as what it is, at once`(status: Int, code: String, expected: ObjectStoreError.Code) async throws {
        let script = Script([refusal(.init(statusCode: status), code)])
        let error = await failure { try await script.bucket().get(path, range: nil) }
        #expect(error?.code == expected && script.asked.count == 1)
        #expect(error?.description.contains("hush") == false && error?.description.contains("AKIA") == false)
        if expected == .badSettings, status != 404 { #expect(error?.reason.contains("eu-west-1") == true) }
    }

    @Test func `a range is asked for as one, and what is shorter is not handed out`() async throws {
        let script = Script([.init(status: .partialContent, body: "bcd"), .init(status: .partialContent, body: "b")])
        #expect(try await script.bucket().get(path, range: 1..<4) == Array("bcd".utf8))
        #expect(await failure { try await script.bucket().get(path, range: 1..<4) }?.code == .outOfRange)
    }

    @Test func `an answer that breaks off is taken up where it broke`() async throws {
        let entry = ObjectStore.Entry(path: path, byteCount: 6, modifiedAt: 0, tag: "t")
        let script = Script([
            .init(status: .partialContent, body: "abc"), .init(isSilent: true), .init(status: .partialContent, body: "def"),
        ])
        var bytes: [UInt8] = []
        try await script.bucket().read(entry, 0..<6) { bytes += $0 }
        #expect(String(decoding: bytes, as: UTF8.self) == "abcdef")
        let replaced = Script([refusal(.preconditionFailed, "PreconditionFailed")])
        #expect(await failure { try await replaced.bucket().read(entry, 0..<6) { _ in } }?.code == .corrupt)
    }

    @Test func `a listing goes on where a page ends, and knows only keys that are paths`() async throws {
        func page(_ keys: [String], next: String?) -> Script.Answer {
            let contents = keys.map {
                "<Contents><Key>\($0)</Key><Size>2</Size><ETag>&quot;e&quot;</ETag><LastModified>1970-01-01T00:00:01Z</LastModified></Contents>"
            }
            let more = next.map { "<IsTruncated>true</IsTruncated><NextContinuationToken>\($0)</NextContinuationToken>" } ?? ""
            return .init(body: "<ListBucketResult>\(contents.joined())\(more)</ListBucketResult>")
        }
        let script = Script([page(["p/b%20c", "p/folder/"], next: "t/1"), page(["p/a", "other"], next: nil)])
        let found = try await script.bucket().list(prefix: "")
        #expect(
            found.map(\.path.description) == ["a", "b c"]
                && found.allSatisfy { $0.modifiedAt == 1_000 && $0.tag == "e" && $0.byteCount == 2 })
        #expect(script.asked[0] == "GET /abc/?encoding-type=url&list-type=2&prefix=p%2F")
        #expect(script.asked[1] == "GET /abc/?continuation-token=t%2F1&encoding-type=url&list-type=2&prefix=p%2F")
        // A store that sends the same page for ever is not followed.
        let loop = Script([page(["p/a"], next: "t"), page(["p/a"], next: "t")])
        #expect(await failure { try await loop.bucket().list(prefix: "") }?.code == .io)
        #expect(await failure { try await loop.bucket().list(prefix: "../x") }?.code == .invalidPath)
    }

    @Test func `a folder has files and folders`() async throws {
        let script = Script([
            .init(
                body: """
                    <ListBucketResult><Contents><Key>p/r/</Key><Size>0</Size></Contents><Contents><Key>p/r/b</Key><Size>3</Size></Contents>\
                    <CommonPrefixes><Prefix>p/r/a%2B/</Prefix></CommonPrefixes></ListBucketResult>
                    """)
        ])
        let found = try await script.bucket().children(of: "r")
        #expect(found == [.init(name: "a+", isFolder: true, byteCount: 0), .init(name: "b", isFolder: false, byteCount: 3)])
    }

    @Test func `a summary of deletions that names an error is one`() async throws {
        let page = "<ListBucketResult><Contents><Key>p/a&amp;b</Key></Contents></ListBucketResult>"
        let refused = "<DeleteResult><Error><Key>p/a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
        let script = Script([.init(body: page), .init(body: refused)])
        #expect(await failure { try await script.bucket().deleteAll(prefix: "a") }?.code == .denied)
        let done = Script([.init(body: page), .init(body: "<DeleteResult/>")])
        try await done.bucket().deleteAll(prefix: "a")
        #expect(done.asked.last == "POST /abc/?delete=")
    }

    @Test func `without credentials nothing is asked`() async throws {
        let options = S3Options(environment: [:], now: { 0 })
        let error = await failure { try await ObjectStore(url: "s3://abc", s3: options) }
        #expect(error?.code == .badSettings && error?.reason.contains("AWS_ACCESS_KEY_ID") == true)
    }
}

@Suite struct S3UploadTests {
    private let path: ObjectPath
    private let part = [UInt8](repeating: 7, count: 8 << 20)

    init() throws { path = try ObjectPath("m") }

    private static let begun = Script.Answer(
        body: "<InitiateMultipartUploadResult><UploadId>u+1</UploadId></InitiateMultipartUploadResult>")
    private static let taken = Script.Answer(headers: ["ETag": "\"e\""])
    private static let completed = Script.Answer(body: "<CompleteMultipartUploadResult/>")

    private func upload(_ script: Script) throws -> S3Upload { S3Upload(client: try script.client(), key: "p/m", path: path) }

    @Test func `what is smaller than a part goes up in one request`() async throws {
        let script = Script([.init()])
        let upload = try upload(script)
        try await upload.write([1, 2])
        #expect(script.asked.isEmpty)
        try await upload.finish()
        try await upload.abandon()
        #expect(script.asked == ["PUT /abc/p/m"])
    }

    @Test func `what is larger goes up in parts as it comes, and one part is tried again`() async throws {
        let script = Script([Self.begun, Self.taken, refusal(.serviceUnavailable, "SlowDown"), Self.taken, Self.taken, Self.completed])
        let upload = try upload(script)
        try await upload.write(part + part)
        #expect(script.asked.count == 4)
        try await upload.write([1])
        try await upload.finish()
        #expect(
            script.asked == [
                "POST /abc/p/m?uploads=", "PUT /abc/p/m?partNumber=1&uploadId=u%2B1", "PUT /abc/p/m?partNumber=2&uploadId=u%2B1",
                "PUT /abc/p/m?partNumber=2&uploadId=u%2B1", "PUT /abc/p/m?partNumber=3&uploadId=u%2B1", "POST /abc/p/m?uploadId=u%2B1",
            ])
        #expect(script.isDone)
    }

    @Test func `an upload that fails is taken back`() async throws {
        let script = Script([Self.begun, Self.taken, refusal(.forbidden, "AccessDenied"), .init(status: .noContent)])
        let upload = try upload(script)
        try await upload.write(part)
        #expect(await failure { try await upload.write(part) }?.code == .denied)
        try await upload.abandon()
        try await upload.abandon()
        #expect(script.asked.last == "DELETE /abc/p/m?uploadId=u%2B1" && script.asked.count == 4)
    }

    @Test func `an upload is taken back by a task that was cancelled`() async throws {
        let script = Script([Self.begun, Self.taken, .init(status: .noContent)])
        let upload = try upload(script)
        try await upload.write(part)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await upload.abandon()
        }
        try await task.value
        #expect(script.asked.last == "DELETE /abc/p/m?uploadId=u%2B1")
    }

    @Test func `a summary that says 200 and then an error is tried again`() async throws {
        let script = Script([Self.begun, Self.taken, refusal(.ok, "InternalError"), Self.completed])
        let upload = try upload(script)
        try await upload.write(part)
        try await upload.finish()
        #expect(script.isDone)
    }

    @Test(arguments: [("\(8 << 20)", true), ("1", false)])
    func `a summary whose answer was lost is looked for`(length: String, isThere: Bool) async throws {
        let script = Script([
            Self.begun, Self.taken, .init(isSilent: true), refusal(.notFound, "NoSuchUpload"), .init(headers: ["Content-Length": length]),
        ])
        let upload = try upload(script)
        try await upload.write(part)
        #expect(await failure { try await upload.finish() }?.code == (isThere ? nil : .notFound))
    }

    @Test func `uploads that nobody ended are listed, and removed when they are old`() async throws {
        let listing = """
            <ListMultipartUploadsResult><Upload><Key>p/old</Key><UploadId>1</UploadId><Initiated>1970-01-01T00:00:01Z</Initiated></Upload>\
            <Upload><Key>p/new</Key><UploadId>2</UploadId><Initiated>1970-01-01T00:00:09Z</Initiated></Upload></ListMultipartUploadsResult>
            """
        let script = Script([.init(body: listing), .init(body: listing), .init(status: .noContent)])
        let bucket = try script.bucket()
        #expect(try await bucket.leftovers(before: 20_000, removes: false).map(\.name) == ["old", "new"])
        #expect(try await bucket.leftovers(before: 5_000, removes: true).map(\.name) == ["old"])
        #expect(script.asked.last == "DELETE /abc/p/old?uploadId=1" && script.isDone)
    }
}
