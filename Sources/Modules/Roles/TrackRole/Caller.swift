import Tracking

/// Who sent the request that is being answered, and what they may do.
struct Caller: Sendable, Equatable {
    /// A token's name; empty when the server asks for none.
    let name: String
    let role: AccessRole
    let experiments: AccessScope
    let models: AccessScope

    /// Of a server that is open to everybody who reaches it.
    static let everybody = Caller(name: "", role: .admin, experiments: .all, models: .all)

    /// The other processes of this server's directory.
    static let directory = Caller(name: "", role: .admin, experiments: .all, models: .all)

    /// May do nothing: what a request is until it has shown more.
    static let nobody = Caller(
        name: "", role: .reader, experiments: AccessScope(patterns: ["\u{0}"]), models: AccessScope(patterns: ["\u{0}"]))

    /// Set for the time of one request.
    @TaskLocal static var current = Caller.nobody

    init(name: String, role: AccessRole, experiments: AccessScope, models: AccessScope) {
        self.name = name
        self.role = role
        self.experiments = experiments
        self.models = models
    }

    init(_ token: AccessToken) {
        self.init(name: token.name, role: token.role, experiments: token.experiments, models: token.models)
    }

    var isScoped: Bool { !experiments.isAll || !models.isAll }

    func require(_ role: AccessRole) throws(TrackingError) {
        guard self.role >= role else {
            throw TrackingError(
                .permissionDenied, "Permission denied: this needs a token of role \(role.rawValue); yours is \(self.role.rawValue)")
        }
    }

    static func outOfScope(_ what: String) -> TrackingError {
        TrackingError(.permissionDenied, "Permission denied: your token does not reach \(what)")
    }

    func requireAll() throws(TrackingError) {
        guard !isScoped else { throw Self.outOfScope("what belongs to everybody") }
    }

    /// - Parameter names: An experiment's id and its name: a token may know it by either.
    func requireExperiment(_ names: String...) throws(TrackingError) {
        guard names.contains(where: { experiments.contains($0) }) else { throw Self.outOfScope("this experiment") }
    }

    func requireModel(_ name: String) throws(TrackingError) {
        guard models.contains(name) else { throw Self.outOfScope("this model") }
    }
}
