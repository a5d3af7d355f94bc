import Domain
import EventLog
import Expressions
import Features
import Foundation
import Inference
import Logging
import Synchronization
import Table

@testable import ServeRole

/// A log in a folder of its own, the view that feeds the model, and models that are easy to foretell.
struct ServeFixture {
    let log: any EventLog
    let view: CompiledView

    static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    static func run(_ body: (ServeFixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-serve-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        try await log.createTopics([
            .init(name: "predictions", partitions: 2), .init(name: "registry-events", partitions: 1), .init(name: "rows", partitions: 2),
            .init(name: "rows.latest", partitions: 2, isCompacted: true),
        ])
        let definition = ViewDefinition(
            name: "rows", topic: "rows", from: .view("candles"), window: nil,
            columns: [
                .init(name: "price", expression: try Expression.parse("close")),
                .init(name: "double_price", expression: try Expression.parse("close * 2")),
            ], filter: nil)
        let view = try CompiledView(
            definition, input: ViewSchema(key: [("pair", .string)], declared: [("close", .double)], metadata: .window))
        try await body(ServeFixture(log: log, view: view))
    }

    static let hashes = ["price": ContentHash(of: "price 1"), "double_price": ContentHash(of: "double_price 1")]

    /// Predicts `price + number`; input hashes are those of the view unless said otherwise.
    static func model(_ number: Int, hashes: [String: ContentHash] = hashes) throws -> LoadedModel {
        let model = try Model(
            inputs: [.init(name: "double_price", type: .double), .init(name: "price", type: .double)],
            pipeline: Pipeline(steps: [
                .numeric(column: "double_price", imputer: NumericImputer(fill: 0), scaler: nil),
                .numeric(column: "price", imputer: nil, scaler: nil),
            ]), estimator: .linear(LinearModel(weights: [0, 1], intercept: Double(number))))
        return LoadedModel(model: model, definitionHashes: hashes.mapValues(\.hex), horizon: 600_000)
    }

    func put(_ pair: String, _ price: Double, at end: Int64, isFinal: Bool = true) async throws {
        let text =
            "{\"pair\":\"\(pair)\",\"price\":\(price),\"double_price\":\(price * 2),\"window_start_ms\":\(end - 60_000),\"window_end_ms\":\(end),\"is_final\":\(isFinal),\"synthetic\":false}"
        let record = Record(key: Array(pair.utf8), value: Array(text.utf8), timestamp: end - 60_000)
        try await log.commit(
            LogUnit(group: "", outputs: [.init(topic: "rows", records: [record]), .init(topic: "rows.latest", records: [record])]))
    }

    func predictions() async throws -> [Record] {
        var records: [Record] = []
        for partition in 0..<2 {
            records += try await log.read(topic: "predictions", partition: partition, from: 0, limit: 1_000_000).records().map(\.record)
        }
        return records
    }
}

/// A registry whose aliases a test moves.
final class FakeRegistry: Sendable {
    struct Broken: Error {}

    private struct State {
        var aliases: [String: Int] = [:]
        var models: [Int: LoadedModel] = [:]
        var isDown = false
    }

    private let state = Mutex(State())

    func set(_ alias: String, _ number: Int?) { state.withLock { $0.aliases[alias] = number } }
    func add(_ number: Int, _ model: LoadedModel) { state.withLock { $0.models[number] = model } }
    func setDown(_ isDown: Bool) { state.withLock { $0.isDown = isDown } }

    var source: ModelSource {
        ModelSource(
            resolve: { [self] model, alias in
                try state.withLock { state in
                    if state.isDown { throw Broken() }
                    return state.aliases[alias].map { ModelVersion(model: model, number: $0) }
                }
            },
            load: { [self] version in
                guard let model = state.withLock({ $0.models[version.number] }) else { throw Broken() }
                return model
            })
    }
}
