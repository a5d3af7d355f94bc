package import Domain
import GRDB

extension TrackingStore {
    /// - Parameters:
    ///   - name: `nil` for a random one. It is also kept as the tag `mlflow.runName`; when only the tag names the run, the tag counts.
    ///   - now: The start when the client states none.
    package func createRun(
        experiment: String, user: String = "", name: String?, startTime: EventTime.Milliseconds?, tags: [KeyValue],
        now: EventTime.Milliseconds
    ) async throws(TrackingError) -> Run {
        try await database.run(creatingRun(experiment: experiment, user: user, name: name, startTime: startTime, tags: tags, now: now))
    }

    package func creatingRun(
        experiment: String, user: String = "", name: String?, startTime: EventTime.Milliseconds?, tags: [KeyValue],
        now: EventTime.Milliseconds
    ) throws(TrackingError) -> TrackingOperation<Run> {
        let number = try Validation.experimentID(experiment)
        let tags = try Validation.all(tags, "tags") { (tag, place) throws(TrackingError) in try Validation.tag(tag, at: place()) }
        try Validation.length(user, limit: Self.maxUser, "User id")
        // A run's name is also one of its tags, and as long as a tag may be.
        let name = try name.map { name throws(TrackingError) in try Validation.tag(KeyValue(Self.nameTag, name)).value }
        let tagged = tags.last { $0.key == Self.nameTag }?.value
        if let name, !name.isEmpty, let tagged, tagged != name {
            throw TrackingError(
                .invalidParameter,
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values ('\(name)' and '\(tagged)').")
        }
        var generator = SystemRandomNumberGenerator()
        let given = [name, tagged].compactMap { $0 }.first { !$0.isEmpty }
        let final = given ?? RunName.random(using: &generator)
        let id = Self.randomID()
        return .write { [self] db in
            try Self.checkActive(number, db)
            let location = try Self.experiment(number, db).artifactLocation
            let uri = (location.hasSuffix("/") ? location : location + "/") + id + "/artifacts"
            try db.cachedStatement(
                sql: "INSERT INTO runs (id, experiment, name, user, status, start_time, artifact_uri) VALUES (?, ?, ?, ?, ?, ?, ?)"
            ).execute(arguments: [id, number, final, user, RunStatus.running.rawValue, startTime ?? now, uri])
            let seq = db.lastInsertedRowID
            for tag in tags where tag.key != Self.nameTag { try Self.setTag(tag, seq, db) }
            try Self.setTag(KeyValue(Self.nameTag, final), seq, db)
            return try runs([seq], db)[0]
        }
    }

    static let nameTag = "mlflow.runName"
    private static let maxUser = 256

    package func run(id: String) async throws(TrackingError) -> Run { try await database.run(readingRun(id: id)) }

    package func readingRun(id: String) -> TrackingOperation<Run> { .read { [self] db in try runs([Self.runRow(id, db).seq], db)[0] } }

    /// Changes what is given and leaves the rest.
    package func updateRun(
        id: String, status: RunStatus? = nil, endTime: EventTime.Milliseconds? = nil, name: String? = nil
    ) async throws(TrackingError) -> RunInfo {
        try await database.run(updatingRun(id: id, status: status, endTime: endTime, name: name))
    }

    package func updatingRun(
        id: String, status: RunStatus? = nil, endTime: EventTime.Milliseconds? = nil, name: String? = nil
    ) throws(TrackingError) -> TrackingOperation<RunInfo> {
        let name = try name.map { name throws(TrackingError) in try Validation.tag(KeyValue(Self.nameTag, name)).value }
        return .write { db in
            let row = try Self.activeRun(id, db)
            if let status {
                try db.cachedStatement(sql: "UPDATE runs SET status = ? WHERE seq = ?").execute(arguments: [status.rawValue, row.seq])
            }
            if let endTime {
                try db.cachedStatement(sql: "UPDATE runs SET end_time = ? WHERE seq = ?").execute(arguments: [endTime, row.seq])
            }
            if let name, !name.isEmpty {
                try db.cachedStatement(sql: "UPDATE runs SET name = ? WHERE seq = ?").execute(arguments: [name, row.seq])
                try Self.setTag(KeyValue(Self.nameTag, name), row.seq, db)
            }
            return try Self.infos([row.seq], db)[0].info
        }
    }

    package func setRunStage(id: String, _ stage: LifecycleStage, now: EventTime.Milliseconds) async throws(TrackingError) {
        try await database.write { db in
            let row = try Self.runRow(id, db)
            if stage == .active { try Self.checkActive(row.experiment, db) }
            let isDeleted = stage == .deleted
            try db.execute(
                sql: "UPDATE runs SET deleted = ?, deleted_time = ? WHERE seq = ?", arguments: [isDeleted, isDeleted ? now : nil, row.seq])
        }
    }

    package func setTag(run id: String, _ tag: KeyValue) async throws(TrackingError) { try await database.run(settingTag(run: id, tag)) }

    package func settingTag(run id: String, _ tag: KeyValue) throws(TrackingError) -> TrackingOperation<Void> {
        let tag = try Validation.tag(tag)
        return .write { db in
            let row = try Self.activeRun(id, db)
            try Self.setTag(tag, row.seq, db)
            if tag.key == Self.nameTag, !tag.value.isEmpty {
                try db.execute(sql: "UPDATE runs SET name = ? WHERE seq = ?", arguments: [tag.value, row.seq])
            }
        }
    }

    package func deleteTag(run id: String, key: String) async throws(TrackingError) {
        try await database.write { db in
            let row = try Self.activeRun(id, db)
            try db.execute(
                sql: "DELETE FROM tags WHERE run = ? AND key = (SELECT id FROM names WHERE name = ?)", arguments: [row.seq, key])
            guard db.changesCount > 0 else { throw TrackingError(.doesNotExist, "No tag with name: \(key) in run with id \(id)") }
        }
    }

    static func setTag(_ tag: KeyValue, _ run: Int64, _ db: Database) throws {
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)")
            .execute(arguments: [run, try nameID(tag.key, db), tag.value])
    }
}
