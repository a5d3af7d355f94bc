import Tracking
import Web

/// One entry of the API: where it is and what it does.
struct Route: Sendable {
    enum Method: String, Sendable { case get = "GET", post = "POST", patch = "PATCH", delete = "DELETE" }

    typealias Handler = @Sendable (TrackService, Arguments) async throws -> Reply
    typealias Operation = @Sendable (TrackService, Arguments) throws -> TrackingOperation<Reply>

    let methods: [Method]
    /// Below `/api/2.0/mlflow/` or its likes, with `{name}` for an argument in the path.
    let path: String
    /// `2.0`, `3.0`.
    let version: String
    let handler: Handler
    /// The whole of what the route does, when that is one operation.
    let operation: Operation?

    init(_ methods: Method..., path: String, version: String = "2.0", _ handler: @escaping Handler) {
        self.methods = methods
        self.path = path
        self.version = version
        self.handler = handler
        operation = nil
    }

    private init(_ method: Method, path: String, operation: @escaping Operation) {
        methods = [method]
        self.path = path
        version = "2.0"
        self.operation = operation
        handler = { service, arguments in try await service.store.database.run(operation(service, arguments)) }
    }

    /// A route that does one thing to the database, and may therefore be answered at once.
    static func operation(_ method: Method, path: String, _ operation: @escaping Operation) -> Route {
        Route(method, path: path, operation: operation)
    }

    /// Every route stands below both: clients use the first, browsers the second.
    static let prefixes = ["/api", "/ajax-api"]

    /// The names in the path.
    var pathArguments: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    static let table: [Route] =
        experiments + datasets + runs + metrics + inputs + loggedModels + models + versions + lineage + aliases + artifactLists + webhooks
        + traces + oldTraces + assessments + traceMetrics + server
}

/// A JSON answer.
struct Reply: Sendable {
    let json: [UInt8]
    /// Lets a client ask again for free while nothing has changed.
    var etag: String?

    init(json: [UInt8], etag: String? = nil) {
        self.json = json
        self.etag = etag
    }

    /// `{}`
    static let empty = Reply(json: Array("{}".utf8))

    static func object(_ body: (inout JSONWriter) -> Void) -> Reply { Reply(json: JSONWriter.object(body)) }

    /// An object with one member.
    static func message(_ name: String, _ body: (inout JSONWriter) -> Void) -> Reply {
        .object { writer in
            writer.key(name)
            body(&writer)
        }
    }
}
