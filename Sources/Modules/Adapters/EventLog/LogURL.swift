/// Where a log is.
package enum LogURL: Sendable, Equatable {
    /// `local:DIRECTORY`
    case local(directory: String)

    /// - Throws: `badURL`.
    package init(_ text: String) throws {
        guard text.hasPrefix("local:"), text.utf8.count > 6 else { throw EventLogError(.badURL(text), during: "open") }
        self = .local(directory: String(text.dropFirst(6)))
    }

    /// Opens the log, and creates it when it is missing.
    package func open(durability: LogDurability = .process) async throws -> any EventLog {
        switch self {
        case .local(let directory): try await LocalLog.open(directory: directory, durability: durability)
        }
    }
}

/// What a commit to the embedded log survives.
package enum LogDurability: String, Sendable, CaseIterable {
    /// The death of the process.
    case process
    /// The loss of power: each commit waits for the disk.
    case full
}
