package import Domain

import Foundation

/// Where a model comes from and what it needs: `mlops.json` of its artefact.
package struct ModelArtefactMetadata: Sendable, Equatable, Codable {
    package static var schema: String { "mlops-model/1" }

    /// What was read of one partition of a topic: offsets `first ..< next`.
    package struct Snapshot: Sendable, Equatable, Codable {
        package let topic: String
        package let partition: Int
        package let first: Int64
        package let next: Int64

        package init(topic: String, partition: Int, first: Int64, next: Int64) {
            self.topic = topic
            self.partition = partition
            self.first = first
            self.next = next
        }
    }

    private let schema: String
    /// Name of the registered model.
    package var name: String
    /// `xgboost`, `ridge`, or a baseline: `current(close)`, `mean`.
    package var kind: String
    package var task: String
    /// The view whose rows are the inputs.
    package var view: String
    /// The columns that together identify the entity.
    package var key: [String]
    package var target: String
    /// How far ahead the prediction lies, milliseconds.
    package var horizon: EventTime.Milliseconds
    /// Input column → definition hash at training time. A server whose own hashes differ must not answer with this model.
    package var definitionHashes: [String: String]
    /// Availability of the first training row; `nil` for models trained elsewhere.
    package var trainedFrom: EventTime.Milliseconds?
    /// Latest time whose data the model may have learnt from, labels included.
    package var learntUntil: EventTime.Milliseconds?
    package var trainingRows: Int
    /// The tracked run.
    package var run: String
    package var createdAt: EventTime.Milliseconds
    package var snapshots: [Snapshot]

    enum CodingKeys: String, CodingKey {
        case schema, name, kind, task, view, key, target, run, snapshots
        case horizon = "horizon_ms"
        case definitionHashes = "definition_hashes"
        case trainedFrom = "trained_from_ms"
        case learntUntil = "learnt_until_ms"
        case trainingRows = "training_rows"
        case createdAt = "created_at_ms"
    }

    package init(
        name: String, kind: String, task: String, view: String, key: [String], target: String, horizon: EventTime.Milliseconds,
        definitionHashes: [String: String], trainedFrom: EventTime.Milliseconds?, learntUntil: EventTime.Milliseconds?,
        trainingRows: Int, run: String, createdAt: EventTime.Milliseconds, snapshots: [Snapshot]
    ) {
        schema = Self.schema
        self.name = name
        self.kind = kind
        self.task = task
        self.view = view
        self.key = key
        self.target = target
        self.horizon = horizon
        self.definitionHashes = definitionHashes
        self.trainedFrom = trainedFrom
        self.learntUntil = learntUntil
        self.trainingRows = trainingRows
        self.run = run
        self.createdAt = createdAt
        self.snapshots = snapshots
    }

    /// What is known of a model that another program has logged.
    init(foreign kind: String, run: String) {
        self.init(
            name: "", kind: kind, task: "regression", view: "", key: [], target: "", horizon: 0, definitionHashes: [:], trainedFrom: nil,
            learntUntil: nil, trainingRows: 0, run: run, createdAt: 0, snapshots: [])
    }

    init(bytes: [UInt8]) throws(ModelArtefact.Error) {
        let decoded: ModelArtefactMetadata
        do {
            decoded = try JSONDecoder().decode(ModelArtefactMetadata.self, from: Data(bytes))
        } catch {
            throw .unreadable(path: ModelArtefact.metadataPath, reason: String(describing: error))
        }
        guard decoded.schema == Self.schema else {
            throw .unreadable(path: ModelArtefact.metadataPath, reason: "schema \"\(decoded.schema)\" is not \"\(Self.schema)\"")
        }
        self = decoded
    }

    func encoded() throws -> [UInt8] { try ModelArtefact.json(self) }
}

extension ModelArtefact {
    /// Sorted keys, so equal values give equal bytes.
    static func json(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}
