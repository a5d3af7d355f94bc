import Domain
import Testing

@testable import MonitorRole

@Suite struct MonitoredPredictionTests {
    @Test func `what serving writes is what the monitor reads`() throws {
        let features: [(name: String, value: Value)] = [
            ("a", .double(0.1)), ("b", .null), ("c", .int(3)), ("d", .string("x\"y")), ("e", .bool(true)),
        ]
        let prediction = Prediction(
            id: "i", entity: try EntityKey([.string("XRP/ETH")]), requestedAt: 7, featureTime: 5, predictedFor: 6, model: "m",
            version: "12", features: features, valuesHash: ContentHash(of: "x"), output: -0.25)
        let read = try MonitoredPrediction(key: prediction.record.key, value: prediction.json())
        #expect(
            read
                == MonitoredPrediction(
                    entity: prediction.entity, requestedAt: 7, featureTime: 5, predictedFor: 6, model: "m", version: "12",
                    features: features,
                    output: -0.25))
    }

    @Test(arguments: [
        "", "{", "[]", "{}", #"{"requested_at_ms":1,"feature_time_ms":2,"predicted_for_ms":3,"version":"1"}"#,
        #"{"requested_at_ms":1,"feature_time_ms":"x","predicted_for_ms":3,"model":"m","version":"1"}"#,
        #"{"requested_at_ms":1,"feature_time_ms":9223372036854775807,"predicted_for_ms":3,"model":"m","version":"1"}"#,
    ])
    func `anything else is unreadable`(text: String) {
        #expect(throws: MonitoredPrediction.Unreadable.self) { try MonitoredPrediction(key: nil, value: Array(text.utf8)) }
    }

    @Test func `an output that is no number and features that were not kept are missing`() throws {
        let text =
            #"{"requested_at_ms":1,"feature_time_ms":2,"predicted_for_ms":3,"model":"m","version":"1","features":null,"output":null}"#
        let read = try MonitoredPrediction(key: nil, value: Array(text.utf8))
        #expect(read.output == nil)
        #expect(read.features.isEmpty)
        #expect(read.entity == nil)
    }
}
