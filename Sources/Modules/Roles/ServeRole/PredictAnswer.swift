import Domain
import Web

/// What a `:predict` call is answered with.
struct PredictAnswer {
    let version: String
    let alias: String
    /// Per instance, the outputs of the model.
    private(set) var outputs: [[Double]] = []
    private(set) var ids: [String] = []
    /// `nil` for instances that brought their features.
    private(set) var entities: [EntityKey?] = []
    private(set) var ages: [EventTime.Milliseconds?] = []

    init(_ served: ServedModel) {
        version = served.number
        alias = served.alias
    }

    mutating func add(_ outputs: [Double], id: String, entity: EntityKey?, age: EventTime.Milliseconds?) {
        self.outputs.append(outputs)
        ids.append(id)
        entities.append(entity)
        ages.append(age)
    }

    /// One number an instance, or one list when the model has several outputs; which version it was, and where the record of
    /// each prediction is found.
    func json(_ layout: PredictRequest.Layout) -> [UInt8] {
        JSONWriter.object { writer in
            writer.key(layout == .rows ? "predictions" : "outputs")
            writer.array { writer in
                for row in outputs {
                    guard row.count != 1 else {
                        writer.raw(Self.number(row[0]))
                        continue
                    }
                    writer.array { writer in for value in row { writer.raw(Self.number(value)) } }
                }
            }
            writer.field("model_version", version)
            writer.field("alias", alias)
            writer.list("ids", ids) { $0.value($1) }
            guard entities.contains(where: { $0 != nil }) else { return }
            writer.list("entities", entities) { writer, entity in
                if let entity { writer.value(entity.description) } else { writer.null() }
            }
            writer.list("feature_ages_ms", ages) { writer, age in
                if let age { writer.value(age) } else { writer.null() }
            }
        }
    }

    /// The protocol's bare words for what JSON has no number for.
    private static func number(_ value: Double) -> [UInt8] {
        guard value.isFinite else { return Array((value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity").utf8) }
        var bytes: [UInt8] = []
        JSONText.append(value, to: &bytes)
        return bytes
    }
}
