import Domain
import EventLog
import Features
import Foundation
import Logging
import Project
import Settings
import Table

@testable import ProduceRole

let tradeStream = StreamDefinition(
    name: "trades", topic: "trades", key: ["pair"], time: "timestamp_ms",
    fields: [
        .init("pair", .string, sources: ["pair", "product_id"]), .init("price", .double), .init("quantity", .double),
        .init("side", .string, isOptional: true), .init("trade_id", .string, isOptional: true), .init("timestamp_ms", .int),
    ], dedupe: nil, require: [])

func synthetic(
    _ definition: SyntheticDefinition, start: Int64 = 0, duration: Int64? = nil, constants: [(field: String, value: Value)] = [],
    truth: TruthFile? = nil
) -> SyntheticSource {
    let end = duration.map { start + $0 }
    return SyntheticSource(
        trades: PlantedTrades(definition, rate: definition.rate, start: start, end: end), start: start, end: end,
        encoder: TradeEncoder(stream: tradeStream, constants: constants), truth: truth)
}

func testProducer(_ log: any EventLog, input: String = "i", _ make: @escaping @Sendable () throws -> PartedSource) -> Producer {
    Producer(
        .init(
            .init(source: "s", topic: "trades", input: input, projectHash: ContentHash(of: "p")), speed: .unlimited, idlePatience: nil),
        log: log, clocks: .init(wall: { 1_000_000_000 }, monotonic: { .zero }), logger: Logger(label: "test"), makeSource: make)
}

/// A directory of its own that is removed with the value.
final class Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "mlops-produce-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws -> String {
        let file = path + "/" + name
        try Data(text.utf8).write(to: URL(filePath: file))
        return file
    }

    func log(topics: [String] = ["trades"]) async throws -> LocalLog {
        let log = try await LocalLog.open(directory: path + "/log")
        try await log.createTopics(topics.map { TopicPlan(name: $0, partitions: 1) })
        return log
    }
}

extension SourceEvent {
    var text: String { String(decoding: value, as: UTF8.self) }
}
