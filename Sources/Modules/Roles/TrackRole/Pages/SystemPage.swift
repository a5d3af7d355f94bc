import Domain
import Foundation
import Registry
import Tracking
import Web

/// The server itself: what it keeps, how much room that takes, how long it has been up.
struct SystemPage: Sendable {
    let service: ScopedService
    let startedAt: EventTime.Milliseconds

    func show(_ query: PageQuery) async throws -> Page {
        let totals = try await service.store.totals()
        let models = try await service.registry.totals()
        let database = service.store.path
        let cards: [(HTML, String)] = [
            ("\(Piece.grouped(totals.experiments))", "experiments"), ("\(Piece.grouped(totals.activeRuns))", "runs"),
            ("\(Piece.grouped(models.models))", "registered models"), ("\(Piece.grouped(models.versions))", "versions"),
            ("\(Piece.grouped(totals.loggedModels))", "logged models"), ("\(Piece.grouped(totals.datasets))", "datasets"),
        ]
        let server = Piece.facts([
            ("Protocol", "MLflow \(Route.protocolVersion)"), ("Up for", "\(Piece.span(milliseconds: max(0, service.now() - startedAt)))"),
            ("Started", Piece.moment(startedAt)), ("Resident memory", Self.residentBytes().map { "\(NumberText.bytes($0))" } ?? .empty),
            ("Process", "\(ProcessInfo.processInfo.processIdentifier) on \(ProcessInfo.processInfo.hostName)"),
        ])
        let storage = Piece.facts([
            ("Database", "<code>\(database)</code>"), ("Size", "\(NumberText.bytes(totals.fileBytes))"),
            ("Empty pages in it", "\(NumberText.bytes(totals.freeBytes))"),
            ("Write-ahead log", "\(NumberText.bytes(Self.size(of: database + "-wal")))"),
            ("Deleted runs", "\(Piece.grouped(totals.deletedRuns))"), ("Artefacts", try await artifacts(query)),
        ])
        let body: HTML = """
            <div class="cards">\(cards.map { card -> HTML in "<div class=\"card\"><b>\(card.0)</b><span>\(card.1)</span></div>" })</div>
            <div class="columns"><section><h2>Server</h2>\(server)</section><section><h2>Storage</h2>\(storage)</section></div>
            """
        return Pages.page("System", in: .system, body: body)
    }

    /// Walking through all artefacts takes its time, so it is done when asked for.
    private func artifacts(_ query: PageQuery) async throws(TrackingError) -> HTML {
        guard query["artifacts"] == "count" else {
            return "<a href=\"\(query.setting("artifacts", "count").address)\">Count them</a>"
        }
        let usage = try await service.artifacts.usage()
        return "\(NumberText.bytes(usage.byteCount)) in \(Piece.count(usage.fileCount, "file"))"
    }

    private static func size(of path: String) -> Int64 {
        ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber)?.int64Value ?? 0
    }

    /// `nil` where the system does not tell.
    private static func residentBytes() -> Int64? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int64($0) })
        else { return nil }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
