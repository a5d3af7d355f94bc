import Domain
import EventLog
import Logging

// Sends records through the program's own producer: kafka-produce BROKERS TOPIC COUNT BYTES. Prints seconds. Four appends of
// 5,000 are under way at any time. The peer, with as many, is Benchmarks/peers/kafka_produce.c.

let arguments = CommandLine.arguments
guard arguments.count == 5 else {
    throw EventLogError(.badURL(arguments.dropFirst().joined(separator: " ")), during: "read BROKERS TOPIC COUNT BYTES")
}
let topic = arguments[2], count = Int(arguments[3]) ?? 0, bytes = Int(arguments[4]) ?? 0
let log = try await KafkaLog.open(
    KafkaOptions(brokers: arguments[1], logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }))
let pattern = Array("{\"price\":12345.678,\"quantity\":0.25}".utf8)
let value = (0..<bytes).map { pattern[$0 % pattern.count] }
let keys = (0..<50).map { Array("pair-\($0)".utf8) }

let clock = ContinuousClock(), begun = clock.now
var pending: [Task<Void, any Error>] = []
for start in stride(from: 0, to: count, by: 5_000) {
    let records = (start..<min(count, start + 5_000)).map {
        Record(key: keys[$0 % 50], value: value, timestamp: 1_700_000_000_000 + Int64($0))
    }
    if pending.count == 4 { try await pending.removeFirst().value }
    pending.append(Task { try await log.append(records, to: topic) })
}
for task in pending { try await task.value }
print((clock.now - begun) / .seconds(1))
