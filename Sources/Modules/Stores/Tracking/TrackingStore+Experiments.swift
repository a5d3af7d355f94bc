package import Domain
import GRDB

extension TrackingStore {
    /// - Parameter artifactLocation: Where its runs' artefacts go; `nil` for this server's own place.
    /// - Returns: The new experiment's id.
    package func createExperiment(
        name: String, artifactLocation: String? = nil, tags: [KeyValue] = [], now: EventTime.Milliseconds
    ) async throws(TrackingError) -> String {
        try Validation.experimentName(name)
        for tag in tags { try Validation.experimentTag(tag) }
        try Validation.length(artifactLocation ?? "", limit: 2_048, "Artifact location")
        return try await database.write { db in
            if let row = try Row.fetchOne(db, sql: "SELECT deleted FROM experiments WHERE name = ?", arguments: [name]) {
                let hint = row["deleted"] as Bool ? " It is in the 'deleted' state; restore it or delete it for good first." : ""
                throw TrackingError(.alreadyExists, "Experiment(name=\(name)) already exists.\(hint)")
            }
            try db.execute(
                sql: "INSERT INTO experiments (name, artifact_location, creation_time, last_update_time) VALUES (?, ?, ?, ?)",
                arguments: [name, artifactLocation ?? "", now, now])
            let id = db.lastInsertedRowID
            if artifactLocation == nil {
                try db.execute(
                    sql: "UPDATE experiments SET artifact_location = ? WHERE id = ?", arguments: [Self.artifactScheme + String(id), id])
            }
            for tag in tags { try Self.setExperimentTag(tag, id, db) }
            return String(id)
        }
    }

    package func experiment(id: String) async throws(TrackingError) -> Experiment {
        let number = try Validation.experimentID(id)
        return try await database.read { try Self.experiment(number, $0) }
    }

    package func experiment(named name: String) async throws(TrackingError) -> Experiment {
        try await database.read { db in
            guard let id = try Int64.fetchOne(db, sql: "SELECT id FROM experiments WHERE name = ?", arguments: [name]) else {
                throw TrackingError(.doesNotExist, "Could not find experiment with name '\(Validation.shown(name))'")
            }
            return try Self.experiment(id, db)
        }
    }

    package func renameExperiment(id: String, to name: String, now: EventTime.Milliseconds) async throws(TrackingError) {
        let number = try Validation.experimentID(id)
        try Validation.experimentName(name)
        try await database.write { db in
            try Self.checkActive(number, db)
            let other = try Int64.fetchOne(db, sql: "SELECT id FROM experiments WHERE name = ? AND id != ?", arguments: [name, number])
            guard other == nil else { throw TrackingError(.alreadyExists, "Experiment(name=\(name)) already exists.") }
            try db.execute(sql: "UPDATE experiments SET name = ?, last_update_time = ? WHERE id = ?", arguments: [name, now, number])
        }
    }

    /// Marks an experiment and its runs deleted, or active again. The name stays taken.
    package func setExperimentStage(id: String, _ stage: LifecycleStage, now: EventTime.Milliseconds) async throws(TrackingError) {
        let number = try Validation.experimentID(id)
        try await database.write { db in
            let experiment = try Self.experiment(number, db)
            guard experiment.stage != stage else {
                let wanted = stage == .active ? "deleted" : "active"
                throw TrackingError(
                    .invalidParameter,
                    "The experiment \(id) must be in the '\(wanted)' state. Current state is \(experiment.stage.rawValue).")
            }
            let isDeleted = stage == .deleted
            try db.execute(
                sql: "UPDATE experiments SET deleted = ?, last_update_time = ? WHERE id = ?", arguments: [isDeleted, now, number])
            try db.execute(
                sql: "UPDATE runs SET deleted = ?, deleted_time = ? WHERE experiment = ?",
                arguments: [isDeleted, isDeleted ? now : nil, number])
        }
    }

    package func setExperimentTag(id: String, _ tag: KeyValue) async throws(TrackingError) {
        let number = try Validation.experimentID(id)
        try Validation.experimentTag(tag)
        try await database.write { db in
            try Self.checkActive(number, db)
            try Self.setExperimentTag(tag, number, db)
        }
    }

    package func deleteExperimentTag(id: String, key: String) async throws(TrackingError) {
        let number = try Validation.experimentID(id)
        try await database.write { db in
            try Self.checkActive(number, db)
            try db.execute(sql: "DELETE FROM experiment_tags WHERE experiment = ? AND key = ?", arguments: [number, key])
            guard db.changesCount > 0 else {
                throw TrackingError(.doesNotExist, "No tag with name: \(key) in experiment with id \(id)")
            }
        }
    }

    /// - Parameter scope: Of whoever asks; other experiments are as if they were not there.
    package func searchExperiments(
        filter: String = "", order: [String] = [], view: ViewType = .activeOnly, scope: AccessScope = .all, maxResults: Int = 1_000,
        pageToken: String? = nil
    ) async throws(TrackingError) -> Paged<Experiment> {
        let reached = scope.condition("e.name", "CAST(e.id AS TEXT)")
        let condition = try Self.experimentGrammar.condition(SearchFilter(filter))
        let sort = try Self.experimentOrder.order(SearchOrder.list(order))
        let standard =
            (order.isEmpty ? [SortColumn("e.creation_time", isAscending: false)] : []) + [SortColumn("e.id", isAscending: false)]
        let seek = try SearchSeek(sort.columns + standard, search: [filter, view.rawValue] + order, token: pageToken)
        let place = seek.condition
        let sql = """
            SELECT e.id\(seek.selection) FROM experiments e\(sort.joins)
            WHERE \(view.condition("e")) AND \(reached.sql) AND \(condition.sql) AND \(place.sql) ORDER BY \(seek.order) LIMIT ?
            """
        let arguments = sort.arguments + reached.arguments + condition.arguments + place.arguments + [maxResults + 1]
        return try await database.read { db in
            let page = seek.page(try Row.fetchAll(db, sql: sql, arguments: arguments), limit: maxResults)
            return Paged(elements: try page.rows.map { try Self.experiment($0["id"], db) }, nextPageToken: page.next)
        }
    }

    // MARK: Rows

    static func experiment(_ id: Int64, _ db: Database) throws -> Experiment {
        let statement = try db.cachedStatement(sql: "SELECT * FROM experiments WHERE id = ?")
        guard let row = try Row.fetchOne(statement, arguments: [id]) else {
            throw TrackingError(.doesNotExist, "No Experiment with id=\(id) exists")
        }
        let tags = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT key, value FROM experiment_tags WHERE experiment = ? ORDER BY key"), arguments: [id])
        return Experiment(
            id: String(id), name: row["name"], artifactLocation: row["artifact_location"], stage: row["deleted"] ? .deleted : .active,
            creationTime: row["creation_time"], lastUpdateTime: row["last_update_time"], tags: tags.map { KeyValue($0["key"], $0["value"]) }
        )
    }

    static func checkActive(_ id: Int64, _ db: Database) throws {
        let experiment = try experiment(id, db)
        guard experiment.stage == .active else {
            throw TrackingError(.invalidParameter, "The experiment \(id) must be in the 'active' state. Current state is deleted.")
        }
    }

    private static func setExperimentTag(_ tag: KeyValue, _ id: Int64, _ db: Database) throws {
        try db.execute(sql: "INSERT OR REPLACE INTO experiment_tags VALUES (?, ?, ?)", arguments: [id, tag.key, tag.value])
    }

    private static let experimentGrammar = grammar(id: .init(.text, "CAST(e.id AS TEXT)", isListed: true))
    /// Ids are compared as the texts they are to clients, and sorted as numbers: 10 comes after 9.
    private static let experimentOrder = grammar(id: .init(.number, "e.id"))

    private static func grammar(id: SearchGrammar.Attribute) -> SearchGrammar {
        let tags = SearchGrammar.Collection(.text, table: "experiment_tags @", condition: "@.experiment = e.id AND @.key = ?")
        return SearchGrammar(
            subject: "experiment",
            attributes: [
                "name": .init(.text, "e.name"), "experiment_id": id,
                "creation_time": .init(.number, "e.creation_time"), "last_update_time": .init(.number, "e.last_update_time"),
            ],
            collections: ["tag": tags, "tags": tags], attributeEntities: ["experiment"])
    }
}

extension ViewType {
    /// A condition on the `deleted` column of an alias.
    func condition(_ alias: String) -> String {
        switch self {
        case .activeOnly: "\(alias).deleted = 0"
        case .deletedOnly: "\(alias).deleted = 1"
        case .all: "1"
        }
    }
}
