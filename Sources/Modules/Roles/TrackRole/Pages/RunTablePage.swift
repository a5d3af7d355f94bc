import Domain
import Tracking
import Web

/// An experiment's runs as a table that can be searched, sorted, widened, unfolded and compared.
struct RunTablePage: Sendable {
    let service: ScopedService

    private static let perPage = 100
    /// Rows of one page with all that is unfolded, and runs shown under one run.
    private static let maxRows = 1_000, maxChildren = 200, maxDepth = 8
    private static let refreshSeconds = 10

    func show(_ query: PageQuery) async throws -> Page {
        let experiment = try await service.store.experiment(id: query.part("id"))
        let activity = try await service.store.activity(ofExperiments: [experiment.id])[experiment.id]
        var search = TrackingStore.RunSearch(experiments: [experiment.id])
        search.filter = query["filter"]
        search.order = query.has("order") ? [query["order"]] : []
        search.pageToken = query.has("page") ? query["page"] : nil
        search.view = query["view"] == "deleted" ? .deletedOnly : query["view"] == "all" ? .all : .activeOnly
        search.maxResults = Self.perPage
        // Who searches wants what matches, wherever it stands.
        let isNested = query["nested"].isEmpty ? search.filter.isEmpty && search.view == .activeOnly : query["nested"] == "on"
        search.onlyTopLevel = isNested
        let (table, next, complaint) = try await found(search, experiment, query, isNested: isNested)

        var page = Pages.page(experiment.name, in: .experiments, trail: [Pages.Section.experiments.link])
        page.isWide = true
        page.badge = experiment.stage == .deleted ? "<span class=\"tag\">deleted</span>" : .empty
        page.badge += "<span class=\"dim\">\(Piece.count(activity?.runCount ?? 0, "run"))</span>\(Piece.tags(experiment.tags))"
        let isLive = query["live"] != "off" && !query.has("page")
        page.refreshSeconds = isLive ? Self.refreshSeconds : nil
        page.body = """
            \(about(experiment))\(TracePages.tabs(experiment.id, isTraces: false))\(searchForm(query, complaint))\(bar(query, table.picker, isNested: isNested, isLive: isLive))
            <form id="picked" action="/compare" data-picks></form>
            <div data-live="runs">\(table.html)\(Piece.pager(query, next: next, around: Self.position(table.topCount, query, next, activity)))</div>
            """
        return page
    }

    /// A long description would push the table out of sight.
    private func about(_ experiment: Experiment) -> HTML {
        let text = experiment.tags.first { $0.key == "mlflow.note.content" }?.value ?? ""
        let isLong = text.utf8.count > 300 || text.split(separator: "\n").count > 3
        return isLong ? "<details class=\"about\"><summary>About this experiment</summary>\(Piece.note(text))</details>" : Piece.note(text)
    }

    private static func position(
        _ shown: Int, _ query: PageQuery, _ next: String?, _ activity: TrackingStore.ExperimentActivity?
    ) -> HTML {
        guard shown > 0 else { return .empty }
        return "\(Piece.count(shown, "run")) on this page\(next == nil ? "" : ", more follow")"
    }

    // MARK: Rows

    /// The table, or an empty one and what is wrong with the search, for the person who typed it.
    private func found(
        _ search: TrackingStore.RunSearch, _ experiment: Experiment, _ query: PageQuery, isNested: Bool
    ) async throws -> (table: RunTable, next: String?, complaint: String?) {
        var search = search
        do throws(TrackingError) {
            // First the runs alone: which columns there are depends on them.
            search.columns = TrackingStore.RunColumns()
            let bare = try await service.store.searchRuns(search)
            var rows = try await unfolded(bare.elements, query, isNested: isNested)
            let ids = rows.map(\.run.info.id)
            let picker = ColumnPicker(
                query, try await service.store.names(ofExperiment: experiment.id, runs: ids, limit: ColumnPicker.maxNames))
            let values = try await service.store.runs(ids: ids, showing: picker.chosen.wanted)
            let known = Dictionary(values.map { ($0.info.id, $0) }) { first, _ in first }
            for index in rows.indices { rows[index].run = known[rows[index].run.info.id] ?? rows[index].run }
            return (RunTable(rows: rows, picker: picker, query: query, now: service.now()), bare.nextPageToken, nil)
        } catch {
            guard error.code == .invalidParameter else { throw error }
            let picker = ColumnPicker(query, TrackingStore.RunNames())
            return (RunTable(rows: [], picker: picker, query: query, now: 0), nil, error.message)
        }
    }

    /// The runs, and under each that is unfolded those that stand under it.
    private func unfolded(_ runs: [Run], _ query: PageQuery, isNested: Bool) async throws(TrackingError) -> [RunTable.Row] {
        let open = Set(query.all("expand"))
        var rows: [RunTable.Row] = []
        var waiting = runs.reversed().map { (run: $0, depth: 0) }
        var counts = try await service.store.childCounts(ofRuns: runs.map(\.info.id))
        var seen: Set<String> = []
        while let (run, depth) = waiting.popLast(), rows.count < Self.maxRows {
            // Two runs may each say that they stand under the other.
            guard depth == 0 || seen.insert(run.info.id).inserted else { continue }
            let isOpen = isNested && open.contains(run.info.id) && counts[run.info.id] != nil
            rows.append(RunTable.Row(run: run, depth: depth, children: isNested ? counts[run.info.id] ?? 0 : 0, isOpen: isOpen))
            guard isOpen, depth < Self.maxDepth else { continue }
            let children = try await service.store.children(
                ofRun: run.info.id, showing: TrackingStore.RunColumns(), limit: Self.maxChildren)
            counts.merge(try await service.store.childCounts(ofRuns: children.map(\.info.id))) { first, _ in first }
            waiting += children.reversed().map { ($0, depth + 1) }
        }
        return rows
    }

    // MARK: Controls

    private func searchForm(_ query: PageQuery, _ complaint: String?) -> HTML {
        let error: HTML = complaint.map { "<p class=\"error\" role=\"alert\" id=\"filter-error\">\($0)</p>" } ?? .empty
        let invalid: HTML = complaint == nil ? .empty : " aria-invalid=\"true\" aria-describedby=\"filter-error\""
        return """
            <form class="search code" role="search" action="\(query.path)"><input type="search" name="filter" value="\(query["filter"])" aria-label="Filter runs"\(invalid) \
            spellcheck="false" autocapitalize="off" placeholder="metrics.rmse &lt; 0.5 AND params.kind = 'ridge'">\
            \(query.hidden(except: "filter", "page", "expand", "view"))<select name="view" aria-label="Which runs">\(Piece.option("", "Active", chosen: query["view"]))\
            \(Piece.option("deleted", "Deleted", chosen: query["view"]))\(Piece.option("all", "All", chosen: query["view"]))</select>\
            <button class="primary">Search</button>\(Self.help)</form>\(error)
            """
    }

    private static let help: HTML = """
        <details class="sheet right"><summary class="button" aria-label="How to search">?</summary><div><p>Comparisons joined by <code>AND</code>:</p><pre><code>metrics.rmse &lt; 0.5 AND metrics."val/loss" != 'NaN'
        params.kind = 'ridge' AND params.depth IS NOT NULL
        tags.team ILIKE 'price%'
        attributes.status = 'FAILED' AND attributes.run_name LIKE '%night%'
        datasets.name = 'trades'</code></pre><p class="dim">The API's <code>filter</code> takes the same text.</p></div></details>
        """

    private func bar(_ query: PageQuery, _ picker: ColumnPicker, isNested: Bool, isLive: Bool) -> HTML {
        let base = query.without("page")
        let nest: HTML = """
            <a class="button" href="\(base.without("expand").setting("nested", isNested ? "off" : "on").address)" \
            title="\(isNested ? "Show every run in one list" : "Show runs under their parents")">\(isNested ? "Flat list" : "Nested")</a>
            """
        let live: HTML =
            query.has("page")
            ? .empty
            : """
            <a class="live\(isLive ? "" : " off")" href="\(base.setting("live", isLive ? "off" : nil).address)" \
            title="\(isLive ? "The table renews itself every \(Self.refreshSeconds) s; stop that" : "Let the table renew itself")">\(isLive ? "Live" : "Paused")</a>
            """
        return """
            <div class="bar"><button form="picked">Compare</button>\(picker.html(query))\(nest)<span class="end">\(live)</span></div>
            """
    }
}
