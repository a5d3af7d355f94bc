/// Where a log is.
package enum LogURL: Sendable, Equatable {
    /// `local:DIRECTORY`
    case local(directory: String)
    /// `kafka://HOST:PORT[,HOST:PORT]`
    case kafka(brokers: String)

    /// - Throws: `badURL`.
    package init(_ text: String) throws {
        if let brokers = Self.brokers(text) {
            self = .kafka(brokers: brokers)
            return
        }
        guard text.hasPrefix("local:"), text.utf8.count > 6 else { throw EventLogError(.badURL(text), during: "open") }
        self = .local(directory: String(text.dropFirst(6)))
    }

    private static func brokers(_ text: String) -> String? {
        let scheme = "kafka://"
        guard text.hasPrefix(scheme) else { return nil }
        let brokers = text.dropFirst(scheme.count).split(separator: ",", omittingEmptySubsequences: false)
        let isRight = brokers.allSatisfy { broker in
            guard let colon = broker.lastIndex(of: ":"), colon > broker.startIndex else { return false }
            return UInt16(broker[broker.index(after: colon)...]).map { $0 > 0 } ?? false
        }
        return isRight && !brokers.isEmpty ? brokers.joined(separator: ",") : nil
    }

    /// Opens the log, and creates it when it is missing. Inside ``OpenLogs/closing(_:)`` it is closed there.
    /// - Parameter kafka: Completes the options of a cluster.
    package func open(
        durability: LogDurability = .process, kafka: (inout KafkaOptions) -> Void = { _ in }
    ) async throws -> any EventLog {
        let log: any EventLog
        switch self {
        case .kafka(let brokers):
            var options = KafkaOptions(brokers: brokers)
            kafka(&options)
            log = try await KafkaLog.open(options)
        case .local(let directory): log = try await LocalLog.open(directory: directory, durability: durability)
        }
        OpenLogs.current?.add(log)
        return log
    }
}

/// What a commit to the embedded log survives.
package enum LogDurability: String, Sendable, CaseIterable {
    /// The death of the process.
    case process
    /// The loss of power: each commit waits for the disk.
    case full
}
