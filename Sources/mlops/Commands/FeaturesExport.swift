import ArgumentParser
import Domain
import FeatureStore
import Features
import Settings
import Table

/// A view's history as a file.
struct FeaturesExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a view's history to a Parquet, CSV or JSON Lines file.")

    @OptionGroup var options: RunOptions

    @Option(help: "The view.")
    var view: String

    @OptionGroup var range: TimeRange

    @Option(help: "The file; its ending chooses the format: .parquet, .csv or .jsonl.")
    var output: String

    func run() async throws {
        try await ExitStatus.mapped {
            try TableExport.check(output)
            let range = try range.milliseconds()
            let (session, _) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            let history = try await session.offlineStore.history(of: view)
            let schema = history.view.schema
            var table = try history.table.selecting(schema.columns.map(\.name))
            if case .int(let times) = try table.column(schema.metadata.timestampColumn).values {
                table = table.filtered(times.map { range.contains($0) })
            }
            try TableExport.write(table, to: output)
            print("\(table.rowCount) rows of \(history.ranges.map(\.description).joined(separator: ", ")) to \(output)")
        }
    }
}

/// A stretch of time, of rows or events.
struct TimeRange: ParsableArguments {
    @Option(help: "The first time, ISO 8601 or milliseconds; from the beginning unless given.")
    var from: String?

    @Option(help: "The first time that is left out; to the end unless given.")
    var to: String?

    func milliseconds() throws -> Range<EventTime.Milliseconds> {
        let first = try time(from, "--from") ?? EventTime.range.lowerBound, last = try time(to, "--to") ?? EventTime.range.upperBound
        guard first <= last else { throw Failure(.badSettings, "--from \(from ?? "") is after --to \(to ?? "")") }
        return first..<last
    }

    private func time(_ text: String?, _ option: String) throws -> EventTime.Milliseconds? {
        guard let text else { return nil }
        guard let time = EventTime.parse(text) ?? Int64(text), EventTime.range.contains(time) else {
            throw Failure(.badSettings, "\(option) \(text): give a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970")
        }
        return time
    }
}
