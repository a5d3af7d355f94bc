/// One record of a topic before it has a place in it.
package struct Record: Sendable, Equatable {
    /// `nil` for a record without a key.
    package var key: [UInt8]?
    /// `nil` is a tombstone: on a compacted topic it deletes the key.
    package var value: [UInt8]?
    /// Event time in milliseconds since the Unix epoch.
    package var timestamp: EventTime.Milliseconds
    package var headers: [Header]

    package struct Header: Sendable, Equatable {
        package let name: String
        package let value: [UInt8]

        package init(_ name: String, _ value: [UInt8]) {
            self.name = name
            self.value = value
        }

        package init(_ name: String, _ value: String) { self.init(name, Array(value.utf8)) }
    }

    package init(key: [UInt8]?, value: [UInt8]?, timestamp: EventTime.Milliseconds, headers: [Header] = []) {
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.headers = headers
    }

    package func header(_ name: String) -> [UInt8]? { headers.first { $0.name == name }?.value }
}

/// The names of the headers that records of this project carry.
package enum HeaderName {
    /// `idle` or `end`: the record is a statement about time, not an event (see ``Tick``).
    package static let tick = "mlops-tick"
    /// When `produce` accepted the event, in milliseconds since the epoch, decimal.
    package static let ingestedAt = "mlops-ingested-at"
    /// Version of the record schema, decimal.
    package static let schemaVersion = "mlops-schema"
    /// Hash of the project file that wrote the record.
    package static let projectHash = "mlops-project"
    /// What the columns of a row mean: the first eight digits of each definition hash, one after the other.
    package static let columns = "mlops-columns"
    /// Why a record is in a `.dead` topic.
    package static let deadReason = "mlops-dead-reason"
    /// `topic/partition/offset` a dead or late record came from.
    package static let origin = "mlops-origin"
    /// `path:line` of a line that `produce` could not read as an event.
    package static let sourcePlace = "mlops-source"
    /// Why it could not.
    package static let sourceFault = "mlops-source-fault"
    /// How far behind the latest accepted time a record in a `.late` topic was, in milliseconds.
    package static let lateBy = "late_by_ms"
    /// The view that found a record late.
    package static let view = "mlops-view"
    /// Start of the window that a record was late for, or that a tombstone of a view takes back; milliseconds, decimal.
    package static let windowStart = "mlops-window-start"
    /// End of the window that a tombstone takes back.
    package static let windowEnd = "mlops-window-end"
    /// The view whose held back row a record of a stream releases; its value is that row.
    package static let release = "mlops-release"
    /// Why a row is in a `.quarantine` topic.
    package static let quarantineReason = "mlops-quarantine-reason"
}

/// What a record with the header ``HeaderName/tick`` says about its key. Its timestamp is the event time meant.
package enum Tick: String, Sendable {
    /// Nothing came for the key up to this time: windows that end before it (plus grace) close.
    case idle
    /// The finite input of the key has ended: all its open windows close, and none is invented after them.
    case end
}

/// What the system predicted, as it stands in the `predictions` topic.
package struct Prediction: Sendable, Equatable {
    /// UUIDv7, lowercase with hyphens.
    package var id: String
    /// The row's entity.
    package var entity: EntityKey
    package var requestedAt: EventTime.Milliseconds
    /// Availability time of the newest feature used.
    package var featureTime: EventTime.Milliseconds
    /// `featureTime` + the horizon of the target: when the truth becomes known.
    package var predictedFor: EventTime.Milliseconds
    package var model: String
    /// Registry version number, decimal.
    package var version: String
    /// The model's inputs in its own order; `nil` when the project asks not to keep them.
    package var features: [(name: String, value: Value)]?
    /// SHA-256 of the inputs as JSON object bytes (see ``JSONText/object(_:)``).
    package var valuesHash: ContentHash
    package var output: Double

    package init(
        id: String, entity: EntityKey, requestedAt: EventTime.Milliseconds, featureTime: EventTime.Milliseconds,
        predictedFor: EventTime.Milliseconds, model: String, version: String, features: [(name: String, value: Value)]?,
        valuesHash: ContentHash, output: Double
    ) {
        self.id = id
        self.entity = entity
        self.requestedAt = requestedAt
        self.featureTime = featureTime
        self.predictedFor = predictedFor
        self.model = model
        self.version = version
        self.features = features
        self.valuesHash = valuesHash
        self.output = output
    }

    package static func == (a: Prediction, b: Prediction) -> Bool { a.json() == b.json() && a.entity == b.entity }

    /// The record value: fields in the documented order, features as a nested object or null.
    package func json() -> [UInt8] {
        var bytes: [UInt8] = Array("{\"id\":".utf8)
        JSONText.append(id, to: &bytes)
        for (name, value) in [("requested_at_ms", requestedAt), ("feature_time_ms", featureTime), ("predicted_for_ms", predictedFor)] {
            bytes.append(contentsOf: ",\"\(name)\":\(value)".utf8)
        }
        bytes.append(contentsOf: ",\"model\":".utf8)
        JSONText.append(model, to: &bytes)
        bytes.append(contentsOf: ",\"version\":".utf8)
        JSONText.append(version, to: &bytes)
        bytes.append(contentsOf: ",\"features\":".utf8)
        bytes.append(contentsOf: features.map { JSONText.object($0) } ?? Array("null".utf8))
        bytes.append(contentsOf: ",\"values_hash\":\"\(valuesHash.hex)\",\"output\":".utf8)
        JSONText.append(output, to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    package var record: Record { Record(key: entity.bytes, value: json(), timestamp: featureTime) }
}
