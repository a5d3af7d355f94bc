import Domain
import Inference

/// A prediction as it goes to the log.
struct PredictionRecord {
    let id: String
    let record: Record

    /// - Parameters:
    ///   - inputs: One value an input of the model, in its order.
    ///   - entity: `nil` when the features came with the request; the record then has no key and no label is awaited.
    ///   - featureTime: Availability of the newest feature.
    init(
        _ served: ServedModel, inputs: [Value], output: Double, entity: EntityKey?, featureTime: EventTime.Milliseconds,
        requestedAt: EventTime.Milliseconds
    ) {
        let features = zip(served.model.inputs, inputs).map { (name: $0.name, value: $1) }
        var random = SystemRandomNumberGenerator()
        id = UUIDv7.make(milliseconds: requestedAt, random: (random.next(), random.next()))
        let prediction = Prediction(
            id: id, entity: entity ?? Self.noEntity, requestedAt: requestedAt, featureTime: featureTime,
            predictedFor: featureTime + served.loaded.horizon, model: served.version.model, version: served.number, features: features,
            valuesHash: ContentHash(of: JSONText.object(features)), output: output)
        var record = prediction.record
        if entity == nil { record.key = nil }
        self.record = record
    }

    /// Stands in the value, never in the record.
    private static let noEntity: EntityKey = {
        guard let key = EntityKey(bytes: [UInt8(ascii: "-")]) else { preconditionFailure("the key is not empty") }
        return key
    }()
}
