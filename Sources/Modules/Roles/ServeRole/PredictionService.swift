package import Domain
import FeatureStore
import Features
import Inference

/// Answers requests for predictions: finds the model, finds the features, predicts, and sends the record on its way.
package struct PredictionService: Sendable {
    /// Seconds after which a client may ask again while something is still being loaded.
    private static let retryAfter = 2

    package let models: [ModelSlot]
    private let features: OnlineStore?
    private let queue: PredictionQueue
    private let metrics: [String: ServeMetrics]
    private let now: @Sendable () -> EventTime.Milliseconds

    /// - Parameters:
    ///   - features: The latest rows by entity; `nil` when requests must carry their features.
    ///   - now: Wall time, which requests and the ages of features go by.
    init(
        models: [ModelSlot], features: OnlineStore?, queue: PredictionQueue, metrics: [String: ServeMetrics],
        now: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.models = models
        self.features = features
        self.queue = queue
        self.metrics = metrics
        self.now = now
    }

    /// The key columns that an entity is named by.
    package var key: [PredictRequest.KeyColumn] { features?.view.schema.key.map { ($0.name, $0.type) } ?? [] }

    /// The version that a path selects.
    package func served(_ name: String, _ selector: ServePath.Selector) throws(ServeFailure) -> ServedModel {
        guard let slot = models.first(where: { $0.name == name }) else { throw Self.unknown(name, selector) }
        guard let served = slot.current else {
            throw ServeFailure(.unavailable(retryAfter: Self.retryAfter), "model \(name) is not loaded yet")
        }
        switch selector {
        case .latest: return served
        case .version(let number):
            guard number == Int64(served.version.number) else { throw Self.unknown(name, selector) }
            return served
        case .label(let label):
            guard label == served.alias else { throw ServeFailure(.invalid, "Unrecognized servable version label: \(label)") }
            return served
        }
    }

    private static func unknown(_ name: String, _ selector: ServePath.Selector) -> ServeFailure {
        if case .version(let number) = selector {
            return ServeFailure(.notFound, "Servable not found for request: Specific(\(name), \(number))")
        }
        return ServeFailure(.notFound, "Servable not found for request: Latest(\(name))")
    }

    /// Answers one `:predict` call.
    /// - Returns: The JSON text of the answer.
    package func predict(_ served: ServedModel, body: [UInt8]) async throws(ServeFailure) -> [UInt8] {
        let request = try PredictRequest.parse(body, inputs: served.model.inputs, key: key)
        return try await predict(served, request).json(request.layout)
    }

    /// The prediction for one entity, from its latest features.
    package func predict(_ served: ServedModel, entity: [Value]) async throws(ServeFailure) -> Double {
        let answer = try await predict(served, PredictRequest(layout: .rows, instances: [.entity(entity)]))
        return answer.outputs.first?.first ?? .nan
    }

    private func predict(_ served: ServedModel, _ request: PredictRequest) async throws(ServeFailure) -> PredictAnswer {
        let requestedAt = now()
        var answer = PredictAnswer(served), records: [Record] = []
        for instance in request.instances {
            let found = try await inputs(of: instance, served, at: requestedAt)
            let outputs: [Double]
            do throws(Model.Error) {
                outputs = try served.model.outputs(found.values)
            } catch {
                throw ServeFailure(.invalid, error.description)
            }
            let record = PredictionRecord(
                served, inputs: found.values, output: outputs.first ?? .nan, entity: found.entity, featureTime: found.featureTime,
                requestedAt: requestedAt)
            records.append(record.record)
            answer.add(
                outputs, id: record.id, entity: found.entity, age: found.entity == nil ? nil : max(0, requestedAt - found.featureTime))
        }
        queue.offer(records)
        metrics[served.version.model]?.predicted(version: served.number, count: records.count, path: "http")
        if let age = answer.ages.compactMap(\.self).max() { metrics[served.version.model]?.featureAge(age) }
        return answer
    }

    private struct Found {
        let values: [Value]
        let entity: EntityKey?
        let featureTime: EventTime.Milliseconds
    }

    private func inputs(
        of instance: PredictRequest.Instance, _ served: ServedModel, at now: EventTime.Milliseconds
    ) async throws(ServeFailure) -> Found {
        switch instance {
        case .features(let values): return Found(values: values, entity: nil, featureTime: now)
        case .entity(let parts):
            guard let features else { throw ServeFailure(.invalid, "this server looks up no features") }
            guard served.binding.mismatched.isEmpty else {
                throw ServeFailure(
                    .conflict,
                    "model \(served.version.model) version \(served.number) was trained on other definitions of: \(served.binding.mismatched.joined(separator: ", ")); retrain it or restore them"
                )
            }
            let names = zip(key, parts).map { "\($0.name) \(Self.text($1))" }.joined(separator: ", ")
            let entity: EntityKey
            do throws(EntityKey.Error) {
                entity = try EntityKey(parts)
            } catch {
                throw ServeFailure(.invalid, "not an entity: \(names)")
            }
            guard await features.isReady else {
                throw ServeFailure(.unavailable(retryAfter: Self.retryAfter), "the features are not loaded yet")
            }
            guard let row = await features.row(for: entity) else { throw ServeFailure(.notFound, "Unknown entity: \(names)") }
            let foreign = row.foreign.isEmpty ? [] : served.model.inputs.map(\.name).filter(row.foreign.contains)
            guard foreign.isEmpty else {
                throw ServeFailure(
                    .conflict,
                    "the newest row of \(names) was computed with other definitions of: \(foreign.joined(separator: ", ")); it is computed again by `mlops features --rebuild`"
                )
            }
            return Found(values: served.binding.inputs(of: row.values), entity: entity, featureTime: row.availability)
        }
    }

    private static func text(_ value: Value) -> String {
        if case .string(let text) = value { return "\"\(text)\"" }
        var bytes: [UInt8] = []
        JSONText.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
