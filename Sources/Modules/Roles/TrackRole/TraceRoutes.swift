import HTTPTypes
import Hummingbird
import NIOCore
import ObjectStore
import Tracking
import Web

/// Spans in OpenTelemetry's form, and the data of a trace as a file.
struct TraceRoutes: Sendable {
    let service: TrackService

    static let otlpPath = "/v1/traces"
    /// Values in one body of JSON: a batch of an exporter is 512 spans, each with some hundred fields at most.
    private static let maxValues = 250_000
    private static let experimentHeader = HTTPField.Name("x-mlflow-experiment-id"), runHeader = HTTPField.Name("x-mlflow-run-id")

    func add(to router: Router<WebContext>) {
        router.post(RouterPath(Self.otlpPath)) { request, _ in try await receive(request) }
        for prefix in Route.prefixes {
            router.get(RouterPath("\(prefix)/2.0/mlflow/get-trace-artifact")) { request, _ in try await file(request) }
        }
    }

    // MARK: OTLP

    /// What an exporter is told, in the words of the protocol.
    private struct Refusal: Error {
        let status: HTTPResponse.Status
        let detail: String
    }

    private func receive(_ request: Request) async throws -> Response {
        try Caller.current.require(.trainer)
        do {
            guard let name = Self.experimentHeader, let experiment = request.headers[name] else { return Self.missingHeader }
            let sent = try await spans(of: request)
            try await service.requireExperiment(experiment)
            let run = Self.runHeader.flatMap { request.headers[$0] }.flatMap { $0.isEmpty ? nil : $0 }
            if let run { try await service.requireRun(run) }
            try await service.requireTraces(Array(Set(sent.spans.map(\.span.traceID))), mayBeMissing: true)
            try await service.traces.log(sent.spans, experiment: experiment, run: run)
        } catch let refusal as Refusal {
            return .json(JSONWriter.object { $0.field("detail", refusal.detail) }, status: refusal.status)
        }
        // An empty message in binary form: everything was taken.
        return Response(status: .ok, headers: [.contentType: "application/x-protobuf"])
    }

    private static var missingHeader: Response {
        .json(
            Array(#"{"detail":[{"type":"missing","loc":["header","x-mlflow-experiment-id"],"msg":"Field required","input":null}]}"#.utf8),
            status: .unprocessableContent)
    }

    private func spans(of request: Request) async throws -> OTLPRequest {
        let type = request.headers[.contentType]
        let media = type?.split(separator: ";").first.map { $0.trimmingPrefix(" ") }
        guard let media, ["application/x-protobuf", "application/json"].contains(media) else {
            throw Refusal(
                status: .badRequest,
                detail:
                    "Invalid Content-Type: \(type.map { Validation.shown($0) } ?? "None"). Expected: application/x-protobuf or application/json"
            )
        }
        let body = try await content(of: request)
        let sent: OTLPRequest
        do throws(OTLPRequest.Error) {
            if media == "application/json" {
                guard let json = try? JSONReader.read(body, maxValues: Self.maxValues) else { throw .malformed }
                sent = try OTLPRequest(json: json)
            } else {
                sent = try OTLPRequest(binary: body)
            }
        } catch {
            switch error {
            case .malformed: throw Refusal(status: .badRequest, detail: "Invalid OpenTelemetry format")
            case .unusableSpan: throw Refusal(status: .unprocessableContent, detail: "Cannot convert OpenTelemetry span to MLflow span")
            }
        }
        guard !sent.isEmpty else { throw Refusal(status: .badRequest, detail: "Invalid OpenTelemetry format - no spans found") }
        return sent
    }

    private func content(of request: Request) async throws -> [UInt8] {
        let body = try await request.bytes(upTo: TrackRouter.maxLargeBytes)
        guard let encoding = request.headers[.contentEncoding]?.lowercased(), !encoding.isEmpty, encoding != "identity" else { return body }
        guard Inflate.undoes(encoding) else {
            throw Refusal(status: .badRequest, detail: "Unsupported Content-Encoding: \(Validation.shown(encoding))")
        }
        do throws(Inflate.Error) {
            return try Inflate.bytes(body, limit: TrackRouter.maxLargeBytes)
        } catch {
            switch error {
            case .damaged: throw Refusal(status: .badRequest, detail: "Failed to decompress \(encoding) payload")
            case .tooLarge(let limit): throw RequestError(.contentTooLarge, "the body is larger than \(limit) bytes")
            }
        }
    }

    // MARK: Files

    /// `traces.json`: the spans as they are stored; or a file that was attached to the trace.
    private func file(_ request: Request) async throws -> Response {
        let arguments = Arguments(query: request.query)
        try Caller.current.require(.reader)
        guard let id = try arguments.optionalText("request_id"), !id.isEmpty else {
            throw TrackingError(.badRequest, "Request must include the \"request_id\" query parameter.")
        }
        let trace = try await service.traces.trace(id: id)
        try await service.requireExperiment(trace.experimentID)
        if let path = try arguments.optionalText("path"), !path.isEmpty {
            let checked = try ArtifactPath.check(path)
            guard !checked.description.contains("/") else { throw TrackingError(.invalidParameter, "Invalid path") }
            return try await attachment(of: trace, "attachments/" + checked.description, name: checked.description)
        }
        guard trace.hasStoredSpans else { return try await attachment(of: trace, TrackService.spansFile, name: TrackService.spansFile) }
        let spans = try await service.traces.contents(ofTrace: id).joined(separator: ",")
        return Self.download(Array("{\"spans\":[\(spans)]}".utf8), name: TrackService.spansFile)
    }

    private func attachment(of trace: TraceInfo, _ path: String, name: String) async throws -> Response {
        guard let bytes = try await service.traceFile(trace, path) else {
            throw TrackingError(.doesNotExist, "Trace data not found for path=\(path)")
        }
        return Self.download(bytes, name: name)
    }

    private static func download(_ bytes: [UInt8], name: String) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: MediaKind.of(name), .contentDisposition: "attachment; filename*=UTF-8''\(URLText.encode(name))",
            ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

extension TrackService {
    /// Where clients that cannot send spans leave them, below the place of a trace.
    static let spansFile = "traces.json"
    private static let maxFileBytes: Int64 = 64 << 20

    /// A trace and its spans.
    /// - Parameter allowsPartial: Answers with the spans there are; otherwise waits a little for those that are still on their way.
    func wholeTrace(_ id: String, allowsPartial: Bool) async throws -> (TraceInfo, [TraceSpan]) {
        var waits = patience[...]
        while true {
            let trace: TraceInfo
            do throws(TrackingError) { trace = try await traces.trace(id: id) } catch {
                guard error.code == .doesNotExist else { throw error }
                throw TrackingError(.doesNotExist, "Trace with ID \(Validation.shown(id)) is not found.")
            }
            let spans = try await spans(of: trace)
            if allowsPartial || (!spans.isEmpty && spans.count >= trace.expectedSpans) { return (trace, spans) }
            guard let wait = waits.popFirst() else {
                throw TrackingError(.doesNotExist, "Trace with ID \(id) is not fully exported yet, please try again later.")
            }
            try await Task.sleep(for: wait)
        }
    }

    /// The spans of a trace, from the database or from the file that its client left.
    func spans(of trace: TraceInfo) async throws -> [TraceSpan] {
        if trace.hasStoredSpans { return try await traces.spans(ofTrace: trace.id) }
        guard let bytes = try await traceFile(trace, Self.spansFile), let json = try? JSONReader.read(bytes) else { return [] }
        return (json["spans"]?.array ?? []).compactMap { TraceSpan($0) }
    }

    /// - Returns: `nil` when there is no such file.
    func traceFile(_ trace: TraceInfo, _ path: String) async throws(TrackingError) -> [UInt8]? {
        guard let uri = trace.tag(TraceKey.artifactLocation), let place = try? ArtifactPath.place(of: uri),
            // Only below the experiment that the trace lies in, whatever its tag says.
            let experiment = place.split(separator: "/").first, String(experiment) == trace.experimentID
        else { return nil }
        do throws(TrackingError) {
            let file = try await artifacts.file(place + "/" + path)
            guard file.byteCount <= Self.maxFileBytes else {
                throw TrackingError(.invalidParameter, "\(path) is larger than \(Self.maxFileBytes) bytes; fetch it from the artifacts")
            }
            return try await artifacts.bytes(of: file, 0..<file.byteCount)
        } catch {
            guard error.code == .doesNotExist else { throw error }
            return nil
        }
    }

    /// Removes what clients left beside traces that are gone.
    func removeFiles(ofTraces ids: [String], experiment: String) async throws {
        guard let root = try? ArtifactPath.place(of: try await store.experiment(id: experiment).artifactLocation) else { return }
        let gone = Set(ids)
        for entry in try await artifacts.list(root + "/traces") where entry.isDirectory && gone.contains(entry.name) {
            try await artifacts.delete(root + "/traces/" + entry.name)
        }
    }

    func requireTraces(_ ids: [String], mayBeMissing: Bool = false) async throws(TrackingError) {
        guard !Caller.current.experiments.isAll else { return }
        let found = try await traces.traces(ids: ids)
        guard mayBeMissing || found.count == Set(ids).count else { throw Caller.outOfScope("these traces") }
        for experiment in Set(found.map(\.experimentID)) { try await requireExperiment(experiment) }
    }
}
