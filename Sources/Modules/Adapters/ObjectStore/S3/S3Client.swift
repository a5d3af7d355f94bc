import AsyncHTTPClient
import Domain
import NIOCore
import NIOHTTP1
import Web

/// One request to a bucket.
struct S3Call: Sendable {
    var method: HTTPMethod
    /// `nil` for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// For messages: `put`, `get`, `list`, `delete`, `open`.
    var operation: String
    /// For messages: the object's path, or the store's address.
    var path: String

    init(_ method: HTTPMethod, key: String? = nil, _ operation: String, path: String) {
        self.method = method
        self.key = key
        self.operation = operation
        self.path = path
    }
}

/// Sends signed requests to one bucket, and again when the store could not answer.
struct S3Client: Sendable {
    typealias Transport = @Sendable (HTTPClientRequest) async throws -> HTTPClientResponse

    let options: S3Options
    let retry: RetryPolicy
    private let place: (origin: String, host: String, path: String)
    private let signer: SigV4
    private let transport: Transport
    private let pause: @Sendable (Duration) async throws -> Void

    /// Of an error, a listing, a summary.
    static let maxDocumentBytes = 16 << 20

    /// - Parameters:
    ///   - transport: The network, unless a test has its own.
    ///   - pause: Waits between tries.
    init(
        bucket: String, options: S3Options, retry: RetryPolicy = RetryPolicy(attempts: 6, base: .milliseconds(100), cap: .seconds(5)),
        transport: Transport? = nil, pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) throws(ObjectStoreError) {
        guard let credentials = options.credentials else {
            throw ObjectStoreError(
                .badSettings, "open", path: "s3://\(bucket)",
                "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN where they come with one")
        }
        self.options = options
        self.retry = retry
        place = try options.base(bucket: bucket)
        signer = SigV4(credentials: credentials, region: options.region)
        self.pause = pause
        if let transport {
            self.transport = transport
            return
        }
        let client: HTTPClient
        do { client = try TrustedClients.client(authority: options.authority) } catch {
            throw ObjectStoreError(.badSettings, "open", path: "s3://\(bucket)", "\(error)")
        }
        self.transport = { try await client.execute($0, deadline: .now() + Self.patience) }
    }

    /// Until an answer begins; what follows may take as long as pieces keep coming.
    private static let patience = TimeAmount.minutes(5)

    /// Sends a call until it is answered or the policy gives up.
    /// - Parameters:
    ///   - expects: Statuses that are handed to `read`; any other is an error.
    ///   - read: May be called again, when the answer breaks off.
    func send<Value>(
        _ call: S3Call, expects: Set<UInt> = [200, 204], _ read: (HTTPClientResponse) async throws -> Value
    ) async throws(ObjectStoreError) -> Value {
        var failures = 0
        while true {
            let failure: ObjectStoreError
            do {
                let answer = try await transport(request(call))
                if expects.contains(answer.status.code) { return try await read(answer) }
                failure = await S3Failure.error(answer, call, region: options.region)
            } catch {
                failure = S3Failure.error(error, call)
            }
            failures += 1
            try await wait(afterFailures: failures, failure)
        }
    }

    /// Waits for the next try.
    /// - Throws: The failure, when there is none.
    func wait(afterFailures failures: Int, _ failure: ObjectStoreError) async throws(ObjectStoreError) {
        guard failure.isRetriable, !Task.isCancelled,
            let delay = retry.delay(afterFailures: failures, jitter: Double.random(in: 0..<1))
        else { throw failure }
        do { try await pause(delay) } catch { throw failure }
    }

    /// Reads a small document of XML.
    func document(_ call: S3Call) async throws(ObjectStoreError) -> S3XML {
        try await send(call) { answer in
            let bytes = try await answer.body.collect(upTo: Self.maxDocumentBytes)
            do throws(S3XML.Error) { return try S3XML.read(Array(bytes.readableBytesView)) } catch {
                throw ObjectStoreError(.io, call.operation, path: call.path, "the store's answer is not understood (\(error))")
            }
        }
    }

    private func request(_ call: S3Call) -> HTTPClientRequest {
        let path = place.path + "/" + (call.key.map { URLText.encodePath($0) } ?? "")
        let pairs = call.query.map { (URLText.encode($0.name), URLText.encode($0.value)) }.sorted { $0.0 < $1.0 }
        let query = pairs.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        let signed = signer.sign(
            .init(
                method: call.method.rawValue, path: path, query: query, headers: [("host", place.host)] + call.headers, payload: call.body),
            at: options.now())
        var request = HTTPClientRequest(url: place.origin + path + (query.isEmpty ? "" : "?" + query))
        request.method = call.method
        for header in signed { request.headers.add(name: header.name, value: header.value) }
        if !call.body.isEmpty || call.method == .PUT || call.method == .POST { request.body = .bytes(ByteBuffer(bytes: call.body)) }
        return request
    }
}
