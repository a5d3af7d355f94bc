package import Domain
import Synchronization
package import Web

/// Runs and models over HTTP: how every role but the server itself reads and writes them.
///
/// Speaks MLflow's REST protocol, so any MLflow server answers it. Requests are retried within bounds; see ``JSONClient``.
package struct TrackingClient: Sendable {
    private let connection: TrackingConnection
    var http: JSONClient { connection.http }
    /// Keeps what runs report while the server is away.
    let spool: TrackingSpool?
    private let places = ArtifactPlaces()
    static let api = "/api/2.0/mlflow/"

    /// - Parameters:
    ///   - url: `http://host:port`.
    ///   - token: What the server asks for, when it does.
    ///   - spool: Without one, what cannot be sent is an error.
    package init(url: String, token: String? = nil, retry: RetryPolicy = RetryPolicy(), spool: TrackingSpool? = nil) {
        self.init(http: JSONClient(baseURL: url, bearer: token, retry: retry), spool: spool)
    }

    /// - Parameter find: Looks for the server again when it does not answer, or does not know who asks: both its address and
    ///   what it asks for may be others by now. Asked after such failures alone; `nil` when there is nothing to find.
    package init(http: JSONClient, spool: TrackingSpool? = nil, find: (@Sendable () async -> JSONClient?)? = nil) {
        connection = TrackingConnection(http, find: find)
        self.spool = spool
    }

    package var url: String { http.baseURL }

    // MARK: Experiments and runs

    /// The id of an experiment by name; it is created when missing.
    package func experiment(named name: String) async throws(TrackingFailure) -> String {
        if let known = try await knownExperiment(name) { return known }
        do throws(TrackingFailure) {
            let answer = try await post("experiments/create", isIdempotent: true) { $0.field("name", name) }
            return try text(answer["experiment_id"], "experiment_id")
        } catch {
            // Someone else made it in between, or a lost answer was asked for again.
            guard error.code == .alreadyExists, let known = try await knownExperiment(name) else { throw error }
            return known
        }
    }

    private func knownExperiment(_ name: String) async throws(TrackingFailure) -> String? {
        do throws(TrackingFailure) {
            let answer = try await get("experiments/get-by-name", [("experiment_name", name)])
            return try text(answer["experiment"]?["experiment_id"], "experiment_id")
        } catch {
            guard error.code == .doesNotExist else { throw error }
            return nil
        }
    }

    /// - Parameter experiment: An experiment's id.
    package func createRun(
        experiment: String, name: String, tags: [(String, String)] = [], startTime: EventTime.Milliseconds
    ) async throws(TrackingFailure) -> Run {
        let answer = try await post("runs/create") { writer in
            writer.field("experiment_id", experiment)
            writer.field("run_name", name)
            writer.field("start_time", startTime)
            writer.list("tags", tags) { $0.pair($1) }
        }
        let run = try run(answer["run"])
        places.remember(run.info.artifactURI, of: run.info.id)
        return run
    }

    package func run(id: String) async throws(TrackingFailure) -> Run {
        let answer = try await get("runs/get", [("run_id", id)])
        let run = try run(answer["run"])
        places.remember(run.info.artifactURI, of: run.info.id)
        return run
    }

    /// The runs of a page, newest first unless ordered otherwise.
    package func searchRuns(
        experiments: [String], filter: String = "", order: [String] = [], maxResults: Int = 1_000
    ) async throws(TrackingFailure) -> [Run] {
        let answer = try await post("runs/search", isIdempotent: true) { writer in
            writer.list("experiment_ids", experiments) { $0.value($1) }
            writer.field("filter", filter)
            writer.list("order_by", order) { $0.value($1) }
            writer.field("max_results", Int64(maxResults))
        }
        var runs: [Run] = []
        for value in answer["runs"]?.array ?? [] { runs.append(try run(value)) }
        return runs
    }

    /// Logs any number of items, in as many requests as the protocol's limits ask for. Each request is all or nothing;
    /// sending one twice changes nothing.
    package func logBatch(
        run: String, params: [(String, String)] = [], metrics: [Metric] = [], tags: [(String, String)] = []
    ) async throws(TrackingFailure) {
        for params in params.chunked(100, maxBytes: Self.maxChunkBytes) { try await sendBatch(run, params: params) }
        for tags in tags.chunked(100, maxBytes: Self.maxChunkBytes) { try await sendBatch(run, tags: tags) }
        for metrics in metrics.chunked(1_000) { try await sendBatch(run, metrics: metrics) }
    }

    /// Text per request; escaped to six times its length it stays near the protocol's limit of a megabyte per body.
    private static let maxChunkBytes = 160_000

    private func sendBatch(
        _ run: String, params: ArraySlice<(String, String)> = [], metrics: ArraySlice<Metric> = [], tags: ArraySlice<(String, String)> = []
    ) async throws(TrackingFailure) {
        try await report("runs/log-batch", run: run) { writer in
            writer.field("run_id", run)
            writer.list("params", params) { $0.pair($1) }
            writer.list("tags", tags) { $0.pair($1) }
            writer.list("metrics", metrics) { writer, metric in
                writer.object { writer in
                    writer.field("key", metric.key)
                    writer.field("value", metric.value)
                    writer.field("timestamp", metric.timestamp)
                    writer.field("step", metric.step)
                    writer.field("model_id", metric.modelID)
                }
            }
        }
    }

    package func finish(run: String, status: RunStatus, endTime: EventTime.Milliseconds) async throws(TrackingFailure) {
        try await report("runs/update", run: run) { writer in
            writer.field("run_id", run)
            writer.field("status", status.rawValue)
            writer.field("end_time", endTime)
        }
    }

    /// Records a dataset that the run read.
    package func logInput(run: String, _ input: DatasetInput) async throws(TrackingFailure) {
        try await report("runs/log-inputs", run: run) { writer in
            writer.field("run_id", run)
            writer.list("datasets", [input]) { writer, input in
                writer.object { writer in
                    writer.list("tags", input.tags) { $0.pair(($1.key, $1.value)) }
                    writer.key("dataset")
                    writer.object { writer in
                        writer.field("name", input.name)
                        writer.field("digest", input.digest)
                        writer.field("source_type", input.sourceType)
                        writer.field("source", input.source)
                        writer.field("schema", input.schema)
                        writer.field("profile", input.profile)
                    }
                }
            }
        }
    }

    // MARK: Requests

    func get(_ path: String, _ query: [(name: String, value: String)]) async throws(TrackingFailure) -> JSONValue {
        var call = JSONClient.Call(.get, Self.api + path)
        call.query = query
        return try await json(call)
    }

    func post(
        _ path: String, isIdempotent: Bool = false, _ body: (inout JSONWriter) -> Void
    ) async throws(TrackingFailure) -> JSONValue {
        try await send(.post, path, isIdempotent: isIdempotent, body)
    }

    func send(
        _ method: JSONClient.Method, _ path: String, isIdempotent: Bool, _ body: (inout JSONWriter) -> Void
    ) async throws(TrackingFailure) -> JSONValue {
        var call = JSONClient.Call(method, Self.api + path, isIdempotent: isIdempotent)
        call.body = JSONWriter.object(body)
        return try await json(call)
    }

    func json(_ call: JSONClient.Call) async throws(TrackingFailure) -> JSONValue {
        let answer = try await answer(call)
        do throws(HTTPFailure) { return try answer.json(during: "\(call.method.rawValue) \(url)\(call.path)") } catch {
            throw TrackingFailure(error)
        }
    }

    func answer(_ call: JSONClient.Call) async throws(TrackingFailure) -> JSONClient.Answer {
        try await connection.send(call)
    }

    func missing(_ what: String) -> TrackingFailure {
        TrackingFailure(HTTPFailure(.badAnswer, during: "\(url): answer without \(what)"))
    }

    func text(_ value: JSONValue?, _ what: String) throws(TrackingFailure) -> String {
        guard let text = value?.string else { throw missing(what) }
        return text
    }

    /// Where a run's artefacts are; asked of the server once per run.
    func artifactPlace(of run: String) async throws(TrackingFailure) -> String {
        if let known = places[run] { return known }
        return try await self.run(id: run).info.artifactURI
    }
}

/// What the client has learnt of artefact locations, by run.
private final class ArtifactPlaces: Sendable {
    private let known = Mutex<[String: String]>([:])
    private static let limit = 1_000

    subscript(run: String) -> String? { known.withLock { $0[run] } }

    func remember(_ uri: String, of run: String) {
        known.withLock { known in
            if known.count >= Self.limit { known.removeAll() }
            known[run] = uri
        }
    }
}

extension JSONWriter {
    mutating func pair(_ pair: (String, String)) {
        object { writer in
            writer.field("key", pair.0)
            writer.field("value", pair.1)
        }
    }
}

extension Array {
    /// Consecutive pieces of at most `size` elements.
    func chunked(_ size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}

extension Array<(String, String)> {
    /// Consecutive pieces of at most `size` pairs and `maxBytes` of text; one pair alone may be longer.
    func chunked(_ size: Int, maxBytes: Int) -> [ArraySlice<Element>] {
        var pieces: [ArraySlice<Element>] = []
        var first = 0, bytes = 0
        for (index, pair) in enumerated() {
            let length = pair.0.utf8.count + pair.1.utf8.count
            if index > first, index - first == size || bytes + length > maxBytes {
                pieces.append(self[first..<index])
                (first, bytes) = (index, 0)
            }
            bytes += length
        }
        if first < count { pieces.append(self[first...]) }
        return pieces
    }
}
