import Crypto
package import Domain
import Foundation
import GRDB
package import Tracking
import Web

/// Webhooks in the tracking database; their secrets are encrypted with a key that is a file of its own.
package struct WebhookStore: Sendable {
    package static let migrations = [
        TrackingDatabase.Migration(
            "webhooks-1",
            sql: """
                CREATE TABLE webhooks (
                    id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL,
                    secret BLOB, status TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
                ) WITHOUT ROWID;
                """)
    ]

    /// More would make every change of the registry a burst of requests.
    package static let maxWebhooks = 100

    /// What a caller states; `nil` leaves it as it is.
    package struct Change: Sendable {
        package var name: String?
        package var description: String?
        package var url: String?
        package var events: [Webhook.Event]?
        package var secret: String?
        package var status: Webhook.Status?

        package init() {}
    }

    private let database: TrackingDatabase
    private let key: SymmetricKey

    /// - Parameter key: 32 bytes.
    package init(database: TrackingDatabase, key: [UInt8]) {
        self.database = database
        self.key = SymmetricKey(data: key)
    }

    package func create(_ new: Change, now: EventTime.Milliseconds) async throws(TrackingError) -> Webhook {
        guard let name = new.name, let url = new.url, let events = new.events, !events.isEmpty else {
            throw TrackingError(.invalidParameter, "A webhook needs a name, a url and at least one event")
        }
        try Self.check(new)
        let id = UUID().uuidString.lowercased()
        let secret = try seal(new.secret)
        return try await database.write { db in
            let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM webhooks") ?? 0
            guard count < Self.maxWebhooks else {
                throw TrackingError(.invalidParameter, "There are \(count) webhooks already; at most \(Self.maxWebhooks) are allowed")
            }
            try db.execute(
                sql: "INSERT INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    id, name, new.description ?? "", url, Self.text(events), secret, (new.status ?? .active).rawValue, now, now,
                ])
            return try Self.webhook(id, db)
        }
    }

    package func webhook(id: String) async throws(TrackingError) -> Webhook { try await database.read { try Self.webhook(id, $0) } }

    package func update(id: String, _ change: Change, now: EventTime.Milliseconds) async throws(TrackingError) -> Webhook {
        try Self.check(change)
        let secret = try seal(change.secret)
        return try await database.write { db in
            let old = try Self.webhook(id, db)
            try db.execute(
                sql: """
                    UPDATE webhooks SET name = ?, description = ?, url = ?, events = ?, status = ?, secret = coalesce(?, secret), updated_at = ?
                    WHERE id = ?
                    """,
                arguments: [
                    change.name ?? old.name, change.description ?? old.description, change.url ?? old.url,
                    Self.text(change.events ?? old.events), (change.status ?? old.status).rawValue, secret, now, id,
                ])
            return try Self.webhook(id, db)
        }
    }

    package func delete(id: String) async throws(TrackingError) {
        try await database.write { db in
            _ = try Self.webhook(id, db)
            try db.execute(sql: "DELETE FROM webhooks WHERE id = ?", arguments: [id])
        }
    }

    /// By creation.
    package func list(maxResults: Int, pageToken: String?) async throws(TrackingError) -> Paged<Webhook> {
        let columns = [SortColumn("created_at"), SortColumn("id")]
        let seek = try SearchSeek(columns, search: ["webhooks"], token: pageToken)
        let place = seek.condition
        return try await database.read { db in
            let rows = try Row.fetchAll(
                db, sql: "SELECT id AS webhook\(seek.selection) FROM webhooks WHERE \(place.sql) ORDER BY \(seek.order) LIMIT ?",
                arguments: place.arguments + [maxResults + 1])
            let page = seek.page(rows, limit: maxResults)
            return Paged(elements: try page.rows.map { try Self.webhook($0["webhook"], db) }, nextPageToken: page.next)
        }
    }

    /// A webhook and its secret, or why that cannot be read: the other webhooks have theirs.
    package struct Target: Sendable {
        package let webhook: Webhook
        package let secret: Result<String?, TrackingError>
    }

    /// The active webhooks of an event, each with its secret.
    package func targets(of event: String) async throws(TrackingError) -> [Target] {
        let found = try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT id, secret FROM webhooks WHERE status = 'ACTIVE'").map { row in
                (webhook: try Self.webhook(row["id"], db), secret: row["secret"] as Data?)
            }
        }
        return found.filter { found in found.webhook.events.contains { $0.name == event } }.map { webhook, secret in
            Target(webhook: webhook, secret: Result { () throws(TrackingError) in try open(secret) })
        }
    }

    package func secret(id: String) async throws(TrackingError) -> String? {
        try open(
            await database.read { db in
                _ = try Self.webhook(id, db)
                return try Row.fetchOne(db, sql: "SELECT secret FROM webhooks WHERE id = ?", arguments: [id])?["secret"] as Data?
            })
    }

    // MARK: Secrets

    private func seal(_ secret: String?) throws(TrackingError) -> Data? {
        guard let secret, !secret.isEmpty else { return nil }
        do {
            return try AES.GCM.seal(Data(secret.utf8), using: key).combined
        } catch {
            throw TrackingError(.internalError, "a webhook's secret could not be encrypted")
        }
    }

    private func open(_ sealed: Data?) throws(TrackingError) -> String? {
        guard let sealed else { return nil }
        do {
            return String(decoding: try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: key), as: UTF8.self)
        } catch {
            throw TrackingError(.internalError, "a webhook's secret cannot be read: the key file is not the one it was written with")
        }
    }

    /// What proves to the receiver who sent a delivery: base64 of HMAC-SHA256 over `id.timestamp.payload`.
    package static func signature(secret: String, delivery: String, timestamp: Int64, payload: [UInt8]) -> String {
        var hmac = HMAC<SHA256>(key: SymmetricKey(data: Data(secret.utf8)))
        hmac.update(data: Data("\(delivery).\(timestamp).".utf8))
        hmac.update(data: Data(payload))
        return "v1," + Data(hmac.finalize()).base64EncodedString()
    }

    // MARK: Rows

    private static func check(_ change: Change) throws(TrackingError) {
        if let name = change.name {
            let inner = name.utf8.allSatisfy {
                isAlphanumeric($0) || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0)
            }
            guard inner, name.utf8.count < 64, let first = name.utf8.first, let last = name.utf8.last, isAlphanumeric(first),
                isAlphanumeric(last)
            else {
                throw TrackingError(
                    .invalidParameter,
                    "Webhook name '\(Validation.shown(name))' is invalid. It must start and end with a letter or digit, be shorter than 64 characters, and hold only letters, digits, '.', '_' and '-'."
                )
            }
        }
        try Validation.length(change.description ?? "", limit: 1_000, "Webhook description")
        try Validation.length(change.secret ?? "", limit: 1_000, "Webhook secret")
        for event in change.events ?? [] {
            guard let actions = Webhook.Event.known[event.entity] else {
                throw TrackingError(.invalidParameter, "Invalid webhook entity '\(Validation.shown(event.entity))'")
            }
            guard actions.contains(event.action) else {
                throw TrackingError(
                    .invalidParameter,
                    "Invalid action '\(Validation.shown(event.action))' for entity '\(event.entity)'. Valid actions are: \(actions.joined(separator: ", "))"
                )
            }
        }
        guard change.events.map({ !$0.isEmpty && $0.count <= 20 }) ?? true else {
            throw TrackingError(.invalidParameter, "A webhook needs at least one event and takes at most 20")
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    private static func text(_ events: [Webhook.Event]) -> String {
        String(decoding: JSONText.array(events.map { .string($0.entity + " " + $0.action) }), as: UTF8.self)
    }

    private static func webhook(_ id: String, _ db: Database) throws -> Webhook {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM webhooks WHERE id = ?", arguments: [id]) else {
            throw TrackingError(.doesNotExist, "Webhook with ID \(Validation.shown(id)) not found.")
        }
        let events = (try? JSONReader.read(Array((row["events"] as String).utf8)))?.array ?? []
        return Webhook(
            id: row["id"], name: row["name"], description: row["description"], url: row["url"],
            events: events.compactMap { text in
                let words = text.string?.split(separator: " ") ?? []
                return words.count == 2 ? Webhook.Event(entity: String(words[0]), action: String(words[1])) : nil
            }, status: Webhook.Status(rawValue: row["status"]) ?? .disabled, createdAt: row["created_at"], updatedAt: row["updated_at"])
    }
}
