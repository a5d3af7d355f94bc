import Domain
import EventLog
package import Hummingbird
import HTTPTypes
import Inference
package import Telemetry
package import Web

/// The HTTP face of the role: TensorFlow Serving's and KServe's paths, health, and the course's prediction path.
package struct ServeRoutes: Sendable {
    let service: PredictionService
    let metrics: [String: ServeMetrics]
    let readiness: Readiness
    let maxBodyBytes: Int

    package func router(metrics registry: MetricsRegistry) -> Router<WebContext> {
        let router = Router(context: WebContext.self, options: [.caseInsensitive, .autoGenerateHeadEndpoints])
        for method in [HTTPRequest.Method.get, .post, .put, .delete, .patch] {
            for path in ["/v1", "/v1/**"] as [RouterPath] {
                router.on(path, method: method) { request, _ in await answer(request) }
            }
        }
        router.get("/") { _, _ in Response.json(JSONWriter.object { $0.field("status", "alive") }) }
        router.get("/health") { _, _ in Response.text("I'm healthy!") }
        router.get("/prediction") { request, _ in await Self.guarded { () async throws(ServeFailure) in try await prediction(request) } }
        router.get("/v2/health/live") { _, _ in Response.json(JSONWriter.object { $0.field("live", true) }) }
        router.get("/v2/health/ready") { _, _ in
            let isReady = readiness.state.isReady
            return Response.json(JSONWriter.object { $0.field("ready", isReady) }, status: isReady ? .ok : .serviceUnavailable)
        }
        AdminServer.addRoutes(to: router, metrics: registry, readiness: readiness)
        router.get("/monitoring/prometheus/metrics") { _, _ in Response.text(registry.render()) }
        return router
    }

    // MARK: /v1

    private func answer(_ request: Request) async -> Response {
        let start = ContinuousClock.now
        let path: ServePath
        do throws(ServeFailure) {
            path = try ServePath.parse(method: request.method.rawValue, path: request.uri.path)
        } catch {
            return Self.response(error)
        }
        let response = await Self.guarded { () async throws(ServeFailure) in try await answer(path, request) }
        if case .call(let model, _, let verb) = path {
            metrics[model]?.answered(verb: verb.rawValue, status: response.status.code, duration: ContinuousClock.now - start)
        }
        return response
    }

    private func answer(_ path: ServePath, _ request: Request) async throws(ServeFailure) -> Response {
        switch path {
        case .models:
            return .json(
                JSONWriter.object {
                    $0.key("models"); $0.array { w in for model in service.models { w.value(model.name) } }
                })
        case .status(let model, let selector): return try status(model, selector)
        case .metadata(let model, let selector): return .json(ModelMetadata(try service.served(model, selector)).json)
        case .call(let model, let selector, .predict):
            let served = try service.served(model, selector)
            return .json(try await service.predict(served, body: try await body(request)))
        case .call(_, _, let verb): throw ServeFailure(.unimplemented, "\(verb.rawValue) is not implemented")
        }
    }

    private func body(_ request: Request) async throws(ServeFailure) -> [UInt8] {
        let received: [UInt8]
        do {
            received = try await request.bytes(upTo: maxBodyBytes)
        } catch let error as any HTTPResponseError where error.status != .contentTooLarge {
            throw ServeFailure(.invalid, "the body cannot be read: \(error)")
        } catch {
            throw ServeFailure(.tooLarge, "the body is larger than \(maxBodyBytes) bytes")
        }
        guard let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" else { return received }
        guard Inflate.undoes(encoding) else {
            throw ServeFailure(.invalid, "Content-Encoding \(encoding) is not supported; send gzip or deflate")
        }
        do throws(Inflate.Error) {
            return try Inflate.bytes(received, limit: maxBodyBytes)
        } catch .tooLarge(let limit) {
            throw ServeFailure(.tooLarge, "the body is larger than \(limit) bytes when it is decompressed")
        } catch {
            throw ServeFailure(.invalid, "the body is not a whole \(encoding) stream")
        }
    }

    /// The answer that clients of TensorFlow Serving and of KServe both understand.
    private func status(_ name: String, _ selector: ServePath.Selector) throws(ServeFailure) -> Response {
        var served: ServedModel?
        do throws(ServeFailure) {
            served = try service.served(name, selector)
        } catch {
            guard case .unavailable = error.code else { throw error }
        }
        let body = JSONWriter.object { writer in
            writer.key("model_version_status")
            writer.array { writer in
                guard let served else { return }
                writer.object { writer in
                    writer.field("version", served.number)
                    writer.field("state", "AVAILABLE")
                    writer.key("status")
                    writer.object { writer in
                        writer.field("error_code", "OK")
                        writer.field("error_message", "")
                    }
                }
            }
            writer.field("name", name)
            writer.field("ready", served != nil)
            writer.field("alias", served?.alias)
        }
        return .json(body, status: served == nil ? .serviceUnavailable : .ok)
    }

    // MARK: /prediction

    /// `GET /prediction?pair=X`: the first model's prediction for one entity.
    private func prediction(_ request: Request) async throws(ServeFailure) -> Response {
        guard let slot = service.models.first else { throw ServeFailure(.notFound, "no model is served") }
        let served = try service.served(slot.name, .latest)
        var entity: [Value] = []
        for column in service.key {
            guard let text = request.query.last(where: { $0.name == column.name })?.value else {
                throw ServeFailure(.invalid, "query parameter \"\(column.name)\" is missing")
            }
            guard column.type != .string else {
                entity.append(.string(text))
                continue
            }
            guard let number = Int64(text) else { throw ServeFailure(.invalid, "query parameter \"\(column.name)\" is not an integer") }
            entity.append(.int(number))
        }
        let price = try await service.predict(served, entity: entity)
        return .json(
            JSONWriter.object { writer in
                for (column, value) in zip(service.key, entity) {
                    writer.key(column.name)
                    var bytes: [UInt8] = []
                    JSONText.append(value, to: &bytes)
                    writer.raw(bytes)
                }
                writer.field("predicted_price", price)
            })
    }

    // MARK: Failures

    private static func guarded(_ body: () async throws(ServeFailure) -> Response) async -> Response {
        do throws(ServeFailure) {
            return try await body()
        } catch {
            return response(error)
        }
    }

    /// The one place where a refusal becomes a status.
    static func response(_ failure: ServeFailure) -> Response {
        let status: HTTPResponse.Status =
            switch failure.code {
            case .invalid: .badRequest
            case .notFound: .notFound
            case .conflict: .conflict
            case .tooLarge: .contentTooLarge
            case .unimplemented: .notImplemented
            case .unavailable: .serviceUnavailable
            }
        var response = Response.json(JSONWriter.object { $0.field("error", failure.message) }, status: status)
        if case .unavailable(let seconds) = failure.code { response.headers[.retryAfter] = String(seconds) }
        return response
    }
}
