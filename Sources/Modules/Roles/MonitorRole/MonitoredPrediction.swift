package import Domain
import Web

/// A record of the predictions topic as the monitor needs it.
package struct MonitoredPrediction: Sendable, Equatable {
    /// `nil` for a prediction whose features came with the request: no label is awaited.
    package let entity: EntityKey?
    package let requestedAt: EventTime.Milliseconds
    package let featureTime: EventTime.Milliseconds
    package let predictedFor: EventTime.Milliseconds
    package let model: String
    package let version: String
    /// The model's inputs; empty when they were not kept.
    package let features: [(name: String, value: Value)]
    /// `nil` when the model gave no number.
    package let output: Double?

    package struct Unreadable: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    package init(
        entity: EntityKey?, requestedAt: EventTime.Milliseconds, featureTime: EventTime.Milliseconds,
        predictedFor: EventTime.Milliseconds, model: String, version: String, features: [(name: String, value: Value)], output: Double?
    ) {
        self.entity = entity
        self.requestedAt = requestedAt
        self.featureTime = featureTime
        self.predictedFor = predictedFor
        self.model = model
        self.version = version
        self.features = features
        self.output = output
    }

    /// Reads the record value that ``Domain/Prediction/json()`` writes.
    package init(key: [UInt8]?, value: some Sequence<UInt8>) throws(Unreadable) {
        let json: JSONValue
        do throws(JSONReader.Error) {
            json = try JSONReader.read(value)
        } catch {
            throw Unreadable(description: error.description)
        }
        func time(_ name: String) throws(Unreadable) -> EventTime.Milliseconds {
            guard let time = json[name]?.int64, EventTime.range.contains(time) else {
                throw Unreadable(description: "\"\(name)\" is not a time")
            }
            return time
        }
        guard let model = json["model"]?.string, let version = json["version"]?.string else {
            throw Unreadable(description: "it names no model version")
        }
        self.init(
            entity: key.flatMap { EntityKey(bytes: $0) }, requestedAt: try time("requested_at_ms"),
            featureTime: try time("feature_time_ms"),
            predictedFor: try time("predicted_for_ms"), model: model, version: version,
            features: (json["features"]?.members ?? []).map { ($0.key, Self.cell($0.value)) },
            output: json["output"]?.number.flatMap { $0.isFinite ? $0 : nil })
    }

    private static func cell(_ value: JSONValue) -> Value {
        switch value {
        case .null, .array, .object: .null
        case .bool(let flag): .bool(flag)
        case .int(let number): .int(number)
        case .double(let number): .finite(number)
        case .string(let text): .string(text)
        }
    }

    package func number(of feature: String) -> Double? { features.first { $0.name == feature }?.value.number }

    package static func == (a: MonitoredPrediction, b: MonitoredPrediction) -> Bool {
        a.entity == b.entity && a.requestedAt == b.requestedAt && a.featureTime == b.featureTime && a.predictedFor == b.predictedFor
            && a.model == b.model && a.version == b.version && a.output == b.output && a.features.elementsEqual(b.features, by: ==)
    }
}
