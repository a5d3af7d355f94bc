import Domain
package import EventLog
package import Features
import Table
import Web

/// What predictions say about the features they were made from, waiting to be found among recomputed rows.
package struct ServedValues: Sendable {
    struct Moment: Hashable {
        let key: [UInt8]
        /// Availability of the row, milliseconds.
        let time: EventTime.Milliseconds
    }

    struct Served {
        let id: String
        /// The model's inputs, in its order.
        let names: [String]
        let hash: String
        /// Rows of that moment that did not give these values.
        var misses = 0
    }

    private let view: CompiledView
    private let columns: [String: Int]
    private let availability: Int
    private var waiting: [Moment: [Served]] = [:]
    /// Predictions whose values were found.
    package private(set) var found = 0
    /// Predictions whose features came with the request, or were not kept.
    package private(set) var unchecked = 0

    package init(view: CompiledView) {
        self.view = view
        let names = view.schema.columns.map(\.name)
        columns = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        availability = columns[view.schema.metadata.availabilityColumn] ?? 0
    }

    var topic: String { view.definition.topic }

    /// Notes every prediction that a topic holds now.
    package mutating func read(_ topic: String, of log: any EventLog) async throws {
        for (partition, end) in try await log.endOffsets(topic: topic).enumerated() {
            var at: Int64 = 0
            while at < end {
                let batch = try await log.read(topic: topic, partition: partition, from: at, limit: 10_000)
                guard batch.nextOffset > at else { break }
                try batch.forEach { record in note(record) }
                at = batch.nextOffset
            }
        }
    }

    private mutating func note(_ record: RecordView) {
        guard let key = record.key, let value = record.value, let prediction = try? JSONReader.read(Array(value)),
            let features = prediction["features"]?.members, let hash = prediction["values_hash"]?.string,
            let time = prediction["feature_time_ms"]?.int64, features.allSatisfy({ columns[$0.key] != nil })
        else {
            unchecked += 1
            return
        }
        waiting[Moment(key: Array(key), time: time), default: []].append(
            Served(id: prediction["id"]?.string ?? "", names: features.map(\.key), hash: hash))
    }

    /// Looks for the predictions that were made from recomputed rows.
    mutating func look(at records: [Record]) throws {
        guard !waiting.isEmpty else { return }
        var decoder = RowDecoder(fields: view.schema.columns.map { RowDecoder.Field($0.name, $0.type, isOptional: true) })
        for record in records {
            guard let key = record.key, let value = record.value else { continue }
            try value.withUnsafeBytes { try decoder.append($0) }
            let row = decoder.finish().map { $0[0] }
            guard case .int(let time) = row[availability] else { continue }
            let moment = Moment(key: key, time: time)
            guard let served = waiting[moment] else { continue }
            let left = served.compactMap { one -> Served? in
                let values = one.names.map { (name: $0, value: columns[$0].map { row[$0] } ?? .null) }
                if ContentHash(of: JSONText.object(values)).hex == one.hash { return nil }
                var missed = one
                missed.misses += 1
                return missed
            }
            found += served.count - left.count
            waiting[moment] = left.isEmpty ? nil : left
        }
    }

    /// A prediction whose values no recomputed row has.
    var rest: (moment: Moment, served: Served)? {
        waiting.min { ($0.key.time, $0.value[0].id) < ($1.key.time, $1.value[0].id) }.map { ($0.key, $0.value[0]) }
    }
}
