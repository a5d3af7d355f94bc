package import Domain
import GRDB
import Web

/// The tokens of a server, in the same file as its runs.
package struct TokenStore: Sendable {
    package static let migrations = [
        TrackingDatabase.Migration(
            "access-1",
            sql: """
                CREATE TABLE access_tokens (
                    id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, role TEXT NOT NULL, experiments TEXT, models TEXT,
                    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
                ) WITHOUT ROWID;
                """)
    ]

    private let database: TrackingDatabase

    package init(database: TrackingDatabase) { self.database = database }

    /// - Returns: The token and, this one time, the text that proves it.
    package func create(
        name: String, role: AccessRole, experiments: AccessScope = .all, models: AccessScope = .all,
        expiresAt: EventTime.Milliseconds? = nil, now: EventTime.Milliseconds
    ) async throws(TrackingError) -> (token: AccessToken, secret: String) {
        guard !name.isEmpty, name.utf8.count <= 100, !name.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw TrackingError(.invalidParameter, "a token needs a name of at most 100 bytes without control characters")
        }
        var generator = SystemRandomNumberGenerator()
        let (id, secret) = TokenSecret.make(using: &generator)
        let token = AccessToken(
            id: id, name: name, role: role, experiments: experiments, models: models, createdAt: now, expiresAt: expiresAt, revokedAt: nil)
        try await database.write { db in
            let taken = try Row.fetchOne(
                db, sql: "SELECT 1 FROM access_tokens WHERE name = ? AND revoked_at IS NULL", arguments: [name])
            guard taken == nil else { throw TrackingError(.alreadyExists, "there is a token '\(name)' already; revoke it first") }
            try db.execute(
                sql: "INSERT INTO access_tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                arguments: [
                    id, name, TokenSecret.hash(secret), role.rawValue, experiments.text, models.text, now, expiresAt,
                ])
        }
        return (token, secret)
    }

    /// All tokens, the newest first.
    package func list() async throws(TrackingError) -> [AccessToken] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM access_tokens ORDER BY created_at DESC, id").compactMap { Self.token($0) }
        }
    }

    /// - Parameter name: A token's name or id.
    /// - Throws: `doesNotExist` unless there is such a token in force.
    package func revoke(_ name: String, now: EventTime.Milliseconds) async throws(TrackingError) {
        try await database.write { db in
            try db.execute(
                sql: "UPDATE access_tokens SET revoked_at = ? WHERE (name = ? OR id = ?) AND revoked_at IS NULL",
                arguments: [now, name, name])
            guard db.changesCount > 0 else { throw TrackingError(.doesNotExist, "there is no token '\(Validation.shown(name))' in force") }
        }
    }

    /// The token that a text proves; `nil` for an unknown, revoked or expired one, without saying which.
    package func verify(_ secret: String, now: EventTime.Milliseconds) async throws(TrackingError) -> AccessToken? {
        guard let id = TokenSecret.id(of: secret) else { return nil }
        let hash = TokenSecret.hash(secret)
        return try await database.read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM access_tokens WHERE id = ?")
            let row = try Row.fetchOne(statement, arguments: [id])
            guard TokenSecret.isEqual(row?["hash"] ?? String(repeating: "0", count: 64), hash), let row, let token = Self.token(row)
            else { return nil }
            return token.isValid(at: now) ? token : nil
        }
    }

    private static func token(_ row: Row) -> AccessToken? {
        guard let role = AccessRole(rawValue: row["role"]) else { return nil }
        return AccessToken(
            id: row["id"], name: row["name"], role: role, experiments: AccessScope(text: row["experiments"]),
            models: AccessScope(text: row["models"]), createdAt: row["created_at"], expiresAt: row["expires_at"],
            revokedAt: row["revoked_at"])
    }
}

extension AccessScope {
    fileprivate init(text: String?) {
        // What cannot be read reaches nothing.
        let read = text.map { text in ((try? JSONReader.read(Array(text.utf8)))?.array ?? [.string("\u{0}")]).compactMap(\.string) }
        self.init(patterns: read)
    }

    fileprivate var text: String? {
        patterns.map { String(decoding: JSONText.array($0.map { .string($0) }), as: UTF8.self) }
    }
}
