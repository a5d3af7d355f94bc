import ArgumentParser
import Columnar
import Dispatch
import Domain
import Expressions
import FeatureStore
import Features
import Foundation
import Settings
import Synchronization
import Table

/// Features as they were known at the times of a spine.
struct FeaturesJoin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Add to each row of a file what was known of its entity at its time.",
        discussion: """
            A view's newest row that is not later than the spine row counts; every spine row is kept, in order. Views come from \
            the project's history, or from files: then nothing but the files is needed.

              mlops features join --spine labels.parquet --views indicators:sma_7,rsi_14 --ttl 1h --output training.parquet
              mlops features join --spine spine.csv --view clicks=clicks.parquet --entity user_id --ttl clicks=1d --output out.csv
            """)

    @OptionGroup var options: RunOptions

    @Option(help: "The file of entities and times: .parquet, .csv, .tsv or .jsonl.")
    var spine: String

    @Option(
        help: ArgumentHelp(
            "Views of the project, NAME or NAME:COLUMN,COLUMN; may be given again. All columns when none is named.", valueName: "view"))
    var views: [String] = []

    @Option(help: ArgumentHelp("A view in a file; may be given again.", valueName: "NAME=FILE"))
    var view: [String] = []

    @Option(help: ArgumentHelp("The columns that name the entity in files of views.", valueName: "COLUMN,…"))
    var entity: String?

    @Option(help: "The spine's column of time, and that of files of views.")
    var time = "event_timestamp"

    @Option(help: "The column of files of views that says when a row was ingested, where there is one.")
    var created = "created"

    @Option(help: ArgumentHelp("How old a row may be, as 1d for all views or NAME=1d for one; no limit unless given.", valueName: "TTL"))
    var ttl: [String] = []

    @Flag(help: "Refuse rows that were ingested after the spine row's time.")
    var knowledgeTime = false

    @Option(help: "The file to write; its ending chooses the format: .parquet, .csv or .jsonl.")
    var output: String

    func run() async throws {
        try await ExitStatus.mapped {
            try TableExport.check(output)
            let files = try view.map { try named($0, "--view", "NAME=FILE") }
            let wanted = try views.flatMap { try ViewChoice.parse($0) }
            guard !files.isEmpty || !wanted.isEmpty else { throw Failure(.badSettings, "name what to join: --views or --view") }
            let limits = try TimeLimits(ttl, views: wanted.map(\.view) + files.map(\.name))
            let begun = ContinuousClock.now
            let tables = try Self.read([spine] + files.map(\.value)), spineRows = tables[0]
            var joined: [PointInTimeView] = []
            if !wanted.isEmpty { joined += try await fromProject(wanted, limits) }
            for ((name, _), rows) in zip(files, tables.dropFirst()) { joined.append(try fromFile(name, rows, limits)) }
            let read = ContinuousClock.now
            let table = try PointInTimeJoin.join(spine: spineRows, time: time, views: joined, knowledgeTime: knowledgeTime)
            let alone = ContinuousClock.now - read
            try TableExport.write(table, to: output)
            let times = [alone, ContinuousClock.now - begun].map { String(format: "%.3f", $0.inSeconds) }
            print(
                "\(table.rowCount) rows with \(table.columns.count - spineRows.columns.count) features to \(output), "
                    + "joined in \(times[0]) s, \(times[1]) s with the files")
        }
    }

    private func fromProject(_ wanted: [ViewChoice], _ limits: TimeLimits) async throws -> [PointInTimeView] {
        let (session, _) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
        var joined: [PointInTimeView] = []
        for choice in wanted {
            let history = try await session.offlineStore.history(of: choice.view)
            let schema = history.view.schema
            joined.append(
                PointInTimeView(
                    name: choice.view, rows: history.table, key: schema.key.map(\.name), time: schema.metadata.availabilityColumn,
                    created: history.ingestedColumn, features: choice.columns ?? schema.features, ttl: limits[choice.view]))
        }
        return joined
    }

    /// The rows of files, read side by side.
    private static func read(_ paths: [String]) throws -> [Table] {
        let results = Mutex([Result<Table, ColumnarError>?](repeating: nil, count: paths.count))
        DispatchQueue.concurrentPerform(iterations: paths.count) { place in
            let result = Result { () throws(ColumnarError) in
                // In one piece, so that nothing is put together afterwards.
                try TableFile.reader(path: paths[place], options: ReadOptions(batchRows: 1 << 20)).readAll()
            }
            results.withLock { $0[place] = result }
        }
        return try results.withLock { try $0.compactMap { try $0?.get() } }
    }

    private func fromFile(_ name: String, _ rows: Table, _ limits: TimeLimits) throws -> PointInTimeView {
        let key = entity?.split(separator: ",").map(String.init) ?? []
        guard !key.isEmpty else { throw Failure(.badSettings, "a view in a file needs --entity: the columns that name the entity") }
        return PointInTimeView(
            name: name, rows: rows, key: key, time: time, created: rows[created] == nil ? nil : created,
            features: rows.names.filter { !key.contains($0) && $0 != time && $0 != created }, ttl: limits[name])
    }
}

/// A view with the columns that are wanted of it.
private struct ViewChoice {
    let view: String
    /// `nil` for all.
    var columns: [String]?

    /// `a`, `a,b`, `a:x,y`: a name after the colon is a column.
    static func parse(_ text: String) throws -> [ViewChoice] {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw Failure(.badSettings, "--views \(text): give NAME, NAME,NAME or NAME:COLUMN,COLUMN")
        }
        let names = parts[0].split(separator: ",").map(String.init)
        guard parts.count == 2 else { return names.map { ViewChoice(view: $0) } }
        guard names.count == 1 else { throw Failure(.badSettings, "--views \(text): columns belong to one view; repeat --views") }
        return [ViewChoice(view: names[0], columns: parts[1].split(separator: ",").map(String.init))]
    }
}

/// How old a row of each view may be.
private struct TimeLimits {
    private var all: EventTime.Milliseconds = 0
    private var own: [String: EventTime.Milliseconds] = [:]

    init(_ texts: [String], views: [String]) throws {
        for text in texts {
            let pair = text.contains("=") ? try named(text, "--ttl", "NAME=1d") : (name: "", value: text)
            guard let limit = DurationText.parse(pair.value) else {
                throw Failure(.badSettings, "--ttl \(text): give a duration such as 1h or 1d")
            }
            if pair.name.isEmpty {
                all = limit
            } else if views.contains(pair.name) {
                own[pair.name] = limit
            } else {
                throw Failure(
                    .badSettings,
                    "--ttl \(text): no view \"\(pair.name)\" is joined" + SpellingSuggestion.hint(for: pair.name, among: views))
            }
        }
    }

    subscript(view: String) -> EventTime.Milliseconds { own[view] ?? all }
}

/// The two sides of `NAME=VALUE`.
private func named(_ text: String, _ option: String, _ form: String) throws -> (name: String, value: String) {
    guard let sign = text.firstIndex(of: "="), sign > text.startIndex, text.index(after: sign) < text.endIndex else {
        throw Failure(.badSettings, "\(option) \(text): give \(form)")
    }
    return (String(text[..<sign]), String(text[text.index(after: sign)...]))
}
