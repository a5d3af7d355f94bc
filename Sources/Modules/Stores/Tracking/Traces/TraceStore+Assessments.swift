package import Domain
import GRDB
package import Web

extension TraceStore {
    /// What an update changes; what is `nil` stays.
    package struct AssessmentChange: Sendable {
        package var name: String?
        package var expectation: JSONValue?
        package var feedback: (value: JSONValue, failure: Assessment.Failure?)?
        package var rationale: String?
        package var metadata: [KeyValue]?
        package var isValid: Bool?

        package init() {}
    }

    /// - Parameter assessment: With an empty id for a new one.
    package func create(_ assessment: Assessment) async throws(TrackingError) -> Assessment {
        try Self.check(assessment)
        var made = assessment
        if made.id.isEmpty { made.id = Self.newAssessmentID() }
        return try await database.write { [made] db in
            let seq = try Self.seq(made.traceID, db)
            if let old = made.overrides {
                try db.execute(sql: "UPDATE assessments SET valid = 0 WHERE trace = ? AND id = ?", arguments: [seq, old])
                guard db.changesCount > 0 else { throw Self.notFound(assessment: old, made.traceID) }
            }
            guard try Int64.fetchOne(db, sql: "SELECT 1 FROM assessments WHERE id = ?", arguments: [made.id]) == nil else {
                throw TrackingError(.alreadyExists, "Assessment with ID '\(Validation.shown(made.id))' already exists.")
            }
            try Self.put(made, seq, db)
            return try Self.assessment(made.id, seq, trace: made.traceID, db)
        }
    }

    package func assessment(_ id: String, trace: String) async throws(TrackingError) -> Assessment {
        try await database.read { db in
            guard let seq = try Int64.fetchOne(db, sql: "SELECT seq FROM traces WHERE id = ?", arguments: [trace]) else {
                throw TrackingError(.doesNotExist, "Trace with request_id '\(Validation.shown(trace))' not found")
            }
            return try Self.assessment(id, seq, trace: trace, db)
        }
    }

    package func update(
        _ id: String, trace: String, _ change: AssessmentChange, now: EventTime.Milliseconds
    ) async throws(TrackingError) -> Assessment {
        try await database.write { db in
            let seq = try Self.seq(trace, db)
            var changed = try Self.assessment(id, seq, trace: trace, db)
            if let value = change.expectation {
                guard change.feedback == nil else {
                    throw TrackingError(.invalidParameter, "Cannot specify both `expectation` and `feedback` parameters.")
                }
                guard changed.kind == .expectation else {
                    throw TrackingError(.invalidParameter, "Cannot update expectation value on a Feedback assessment.")
                }
                changed.value = value
            }
            if let feedback = change.feedback {
                guard changed.kind == .feedback else {
                    throw TrackingError(.invalidParameter, "Cannot update feedback value on an Expectation assessment.")
                }
                changed.value = feedback.value
                changed.failure = feedback.failure
            }
            changed.name = change.name ?? changed.name
            if changed.kind == .feedback { changed.rationale = change.rationale ?? changed.rationale }
            changed.isValid = change.isValid ?? changed.isValid
            for pair in change.metadata ?? [] {
                changed.metadata.removeAll { $0.key == pair.key }
                changed.metadata.append(pair)
            }
            changed.lastUpdateTime = now
            try Self.check(changed)
            try Self.put(changed, seq, db)
            return changed
        }
    }

    /// Removes an assessment; what it took the place of counts again. One that is not here is gone already.
    package func deleteAssessment(_ id: String, trace: String) async throws(TrackingError) {
        try await database.write { db in
            guard let seq = try Int64.fetchOne(db, sql: "SELECT seq FROM traces WHERE id = ?", arguments: [trace]) else { return }
            if let old = try String.fetchOne(
                db, sql: "SELECT overrides FROM assessments WHERE trace = ? AND id = ? AND overrides IS NOT NULL", arguments: [seq, id])
            {
                try db.execute(sql: "UPDATE assessments SET valid = 1 WHERE trace = ? AND id = ?", arguments: [seq, old])
            }
            try db.execute(sql: "DELETE FROM assessments WHERE trace = ? AND id = ?", arguments: [seq, id])
        }
    }

    // MARK: Rows

    static func newAssessmentID() -> String { "a-" + TrackingStore.randomID() }

    private static func notFound(assessment id: String, _ trace: String) -> TrackingError {
        TrackingError(.doesNotExist, "Assessment with ID '\(Validation.shown(id))' not found for trace '\(trace)'")
    }

    private static func assessment(_ id: String, _ seq: Int64, trace: String, _ db: Database) throws -> Assessment {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM assessments WHERE trace = ? AND id = ?", arguments: [seq, id]) else {
            throw notFound(assessment: id, trace)
        }
        return assessment(row, trace: trace)
    }

    static func assessment(_ row: Row, trace: String) -> Assessment {
        func json(_ column: String) -> JSONValue? { (row[column] as String?).flatMap { try? JSONReader.read($0.utf8) } }
        let failure = json("error").map {
            Assessment.Failure(code: $0["error_code"]?.string ?? "", message: $0["error_message"]?.string, stack: $0["stack_trace"]?.string)
        }
        return Assessment(
            id: row["id"], traceID: trace, kind: Assessment.Kind(rawValue: row["kind"]) ?? .feedback, name: row["name"],
            value: json("value") ?? .null, failure: failure, sourceType: row["source_type"], sourceID: row["source_id"],
            createTime: row["create_time"], lastUpdateTime: row["last_update_time"], spanID: row["span"], rationale: row["rationale"],
            metadata: (json("metadata")?.members ?? []).map { KeyValue($0.key, $0.value.string ?? PythonJSON.text($0.value)) },
            overrides: row["overrides"], isValid: row["valid"])
    }

    static func put(_ assessment: Assessment, _ seq: Int64, _ db: Database) throws {
        let number: Double? =
            switch assessment.value {
            case .int, .double: assessment.value.number.flatMap { $0.isFinite ? $0 : nil }
            default: nil
            }
        var failure: [JSONValue.Member] = []
        if let error = assessment.failure {
            failure.append(.init("error_code", .string(error.code)))
            if let message = error.message { failure.append(.init("error_message", .string(message))) }
            if let stack = error.stack { failure.append(.init("stack_trace", .string(stack))) }
        }
        let metadata = JSONValue.object(assessment.metadata.map { .init($0.key, .string($0.value)) })
        try db.execute(
            sql: """
                INSERT INTO assessments (id, trace, kind, name, value, number, error, source_type, source_id, create_time, last_update_time,
                    span, rationale, metadata, overrides, valid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, value = excluded.value, number = excluded.number,
                    error = excluded.error, last_update_time = excluded.last_update_time, rationale = excluded.rationale,
                    metadata = excluded.metadata, valid = excluded.valid WHERE trace = excluded.trace
                """,
            arguments: [
                assessment.id.isEmpty ? newAssessmentID() : assessment.id, seq, assessment.kind.rawValue, assessment.name,
                PythonJSON.text(assessment.value, isASCII: true), number, failure.isEmpty ? nil : PythonJSON.text(.object(failure)),
                assessment.sourceType, assessment.sourceID, assessment.createTime, assessment.lastUpdateTime, assessment.spanID,
                assessment.rationale, assessment.metadata.isEmpty ? nil : PythonJSON.text(metadata, isASCII: true), assessment.overrides,
                assessment.isValid,
            ])
    }

    private static func check(_ assessment: Assessment) throws(TrackingError) {
        try Validation.length(assessment.id, limit: 50, "Assessment ID")
        try Validation.length(assessment.name, limit: 250, "Assessment name")
        try Validation.length(assessment.sourceID ?? "", limit: 250, "Assessment source ID")
        try Validation.length(assessment.spanID ?? "", limit: 50, "Span ID")
        try Validation.length(assessment.rationale ?? "", limit: 1_000_000, "Rationale")
    }
}
