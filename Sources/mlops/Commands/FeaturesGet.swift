import ArgumentParser
import Domain
import FeatureStore
import Features
import Settings
import Table

/// The newest features of one entity.
struct FeaturesGet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Print an entity's newest row of each view as JSON, one view a line.",
        discussion: "An entity of several key columns is written as a JSON array: '[\"BTC/USD\",7]'.")

    @OptionGroup var options: RunOptions

    @Argument(help: "The entity, for example BTC/USD.")
    var entity: String

    @Option(help: "Only this view.")
    var view: String?

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, _) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            let known = session.views.map(\.definition.name)
            if let view, !known.contains(view) { throw OfflineStore.Error.unknownView(view, known: known) }
            guard let key = EntityKey(bytes: entity.utf8) else { throw Failure(.badSettings, "name an entity") }
            var found = 0
            for compiled in session.views where view == nil || view == compiled.definition.name {
                let store = OnlineStore(view: compiled, log: session.log)
                try await store.refresh()
                guard let row = await store.row(for: key) else { continue }
                found += 1
                let age = max(0, session.wall() - row.availability)
                let encoder = RowEncoder(columns: store.columns)
                print(
                    "{\"view\":\(text(compiled.definition.name)),\"entity\":\(text(entity)),\"age_ms\":\(age),"
                        + "\"row\":\(String(decoding: encoder.encode(row.values), as: UTF8.self))}")
            }
            if found == 0 {
                throw Failure(.failed, "no row of \"\(entity)\"" + (view.map { " in \($0)" } ?? " in any view"))
            }
        }
    }

    private func text(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONText.append(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
