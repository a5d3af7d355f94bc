import Domain
import Foundation
import Tracking
import Web

/// The traces of an experiment as a table, and one trace with its spans.
struct TracePages: Sendable {
    let service: ScopedService

    private static let perPage = 100, refreshSeconds = 10
    /// Characters of a value that the page shows at once.
    private static let maxValue = 50_000, maxRows = 200

    // MARK: The list

    func list(_ query: PageQuery) async throws -> Page {
        let experiment = try await service.store.experiment(id: query.part("id"))
        var search = TraceSearch(experiments: [experiment.id])
        search.filter = query["filter"]
        search.order = query.has("order") ? [query["order"]] : []
        search.pageToken = query.has("page") ? query["page"] : nil
        search.maxResults = Self.perPage
        var found = Paged<TraceInfo>(elements: [], nextPageToken: nil), complaint: String?
        do throws(TrackingError) {
            found = try await service.traces.search(search)
        } catch {
            guard error.code == .invalidParameter else { throw error }
            complaint = error.message
        }
        var page = Pages.page(experiment.name, in: .experiments, trail: [Pages.Section.experiments.link])
        page.isWide = true
        let isLive = query["live"] != "off" && !query.has("page")
        page.refreshSeconds = isLive ? Self.refreshSeconds : nil
        let around: HTML =
            found.elements.isEmpty
            ? .empty : "\(Piece.count(found.elements.count, "trace")) on this page\(found.nextPageToken == nil ? "" : ", more follow")"
        page.body = """
            \(Self.tabs(experiment.id, isTraces: true))\(form(query, complaint))<div class="bar"><span class="end">\(live(query, isLive))</span></div>
            <div data-live="traces">\(table(found.elements, query))\(Piece.pager(query, next: found.nextPageToken, around: around))</div>
            """
        return page
    }

    /// Between the runs and the traces of an experiment.
    static func tabs(_ experiment: String, isTraces: Bool) -> HTML {
        let here = "/experiments/\(experiment)"
        return Piece.tabs([
            .init(title: "Runs", target: here, isCurrent: !isTraces), .init(title: "Traces", target: here + "/traces", isCurrent: isTraces),
        ])
    }

    private func form(_ query: PageQuery, _ complaint: String?) -> HTML {
        let error: HTML = complaint.map { "<p class=\"error\" role=\"alert\" id=\"filter-error\">\($0)</p>" } ?? .empty
        let invalid: HTML = complaint == nil ? .empty : " aria-invalid=\"true\" aria-describedby=\"filter-error\""
        return """
            <form class="search code" role="search" action="\(query.path)"><input type="search" name="filter" value="\(query["filter"])" \
            aria-label="Filter traces"\(invalid) spellcheck="false" autocapitalize="off" placeholder="status = 'ERROR' AND span.type = 'LLM'">\
            \(query.hidden(except: "filter", "page"))<button class="primary">Search</button>\(Self.help)</form>\(error)
            """
    }

    private static let help: HTML = """
        <details class="sheet right"><summary class="button" aria-label="How to search">?</summary><div><p>Comparisons joined by <code>AND</code>:</p><pre><code>status = 'ERROR' AND execution_time_ms &gt; 500
        name LIKE 'chat%' AND timestamp_ms &gt; 1700000000000
        tags.team = 'prices' AND metadata.`mlflow.trace.session` = 's1'
        span.type = 'LLM' AND span.attributes.model RLIKE '^gpt'
        trace.text ILIKE '%refund%'
        feedback.correct = 'false' AND expectation.answer IS NOT NULL</code></pre><p class="dim">The API's <code>filter</code> takes the same text.</p></div></details>
        """

    private func live(_ query: PageQuery, _ isLive: Bool) -> HTML {
        guard !query.has("page") else { return .empty }
        return """
            <a class="live\(isLive ? "" : " off")" href="\(query.setting("live", isLive ? "off" : nil).address)" \
            title="\(isLive ? "The table renews itself every \(Self.refreshSeconds) s; stop that" : "Let the table renew itself")">\(isLive ? "Live" : "Paused")</a>
            """
    }

    private func table(_ traces: [TraceInfo], _ query: PageQuery) -> HTML {
        guard !traces.isEmpty else { return empty(query) }
        func head(_ term: String, _ title: String, isNumeric: Bool = false, startsAscending: Bool = false) -> HTML {
            let link = SortLink(query: query, term: term, title: title, startsAscending: startsAscending)
            let sort: HTML = link.direction.map { " aria-sort=\"\($0)\"" } ?? .empty
            return "<th scope=\"col\"\(isNumeric ? " class=\"number\"" : "" as HTML)\(sort)>\(link.html)</th>"
        }
        let now = service.now()
        let rows = traces.map { trace -> HTML in
            """
            <tr id="t-\(trace.id)"><th scope="row"><a href="\(Self.address(trace.id))">\(Piece.clip(trace.tag(TraceKey.name) ?? String(trace.id.prefix(14))))</a></th>\
            <td>\(Self.status(trace.state))</td><td>\(Piece.ago(trace.requestTime, now: now))</td>\
            <td class="number">\(trace.duration.map { Piece.span(milliseconds: $0) } ?? "")</td>\
            <td>\(Piece.clip(trace.requestPreview ?? ""))</td><td>\(Piece.clip(trace.responsePreview ?? ""))</td><td>\(Piece.tags(trace.tags))</td></tr>

            """
        }
        return """
            <div class="scroll"><table class="compact"><thead><tr>\(head("name", "Trace", startsAscending: true))\(head("status", "Status", startsAscending: true))\
            \(head("timestamp_ms", "Started"))\(head("execution_time_ms", "Duration", isNumeric: true))<th scope="col">Request</th>\
            <th scope="col">Response</th><th scope="col">Tags</th></tr></thead><tbody>
            \(rows)</tbody></table></div>
            """
    }

    private func empty(_ query: PageQuery) -> HTML {
        guard !query.has("filter") else {
            return "<p class=\"empty\">No trace matches. <a href=\"\(query.without("filter", "page").address)\">Show all traces</a></p>"
        }
        return """
            <div class="empty">No traces yet.<pre><code>mlflow.set_experiment(experiment_id="\(query.part("id"))")

            @mlflow.trace
            def answer(question):
                ...</code></pre></div>
            """
    }

    static func address(_ id: String) -> String { "/traces/" + URLText.encode(id) }

    static func status(_ state: TraceState) -> HTML {
        switch state {
        case .ok: "<span class=\"status finished\">ok</span>"
        case .error: "<span class=\"status failed\">error</span>"
        case .inProgress: "<span class=\"status running\">in progress</span>"
        case .unspecified: "<span class=\"status\">unknown</span>"
        }
    }

    // MARK: One trace

    func one(_ query: PageQuery) async throws -> Page {
        let trace = try await service.traces.trace(id: query.part("id"))
        let experiment = try await service.store.experiment(id: trace.experimentID)
        let tree = SpanTree(try await service.spans(of: trace)), chosen = tree.chosen(query["span"])
        let trail = [
            Pages.Section.experiments.link, Page.Link(experiment.name, "/experiments/\(experiment.id)"),
            Page.Link("Traces", "/experiments/\(experiment.id)/traces"),
        ]
        var page = Pages.page(trace.tag(TraceKey.name) ?? tree.rows.first?.span.name ?? trace.id, in: .experiments, trail: trail)
        page.isWide = true
        page.badge = Self.status(trace.state)
        page.refreshSeconds = trace.state == .inProgress ? Self.refreshSeconds : nil
        page.body = """
            <div data-live="trace">\(try await facts(trace, tree))\(tree.html(query, chosen: chosen))</div>\
            \(chosen.map { detail($0, trace) } ?? .empty)\(Piece.section("Assessments", assessments(trace)))\(Piece.section("Tags and metadata", notes(trace)))
            """
        return page
    }

    private func facts(_ trace: TraceInfo, _ tree: SpanTree) async throws(TrackingError) -> HTML {
        var runs: [HTML] = []
        for run in try await service.traces.runs(ofTrace: trace.id) {
            let name = try await service.store.runs(ids: [run], showing: TrackingStore.RunColumns()).first?.info.name
            runs.append(Piece.run(run, name: name))
        }
        let session = trace.metadata(TraceKey.session) ?? ""
        let usage = trace.metadata(TraceKey.tokenUsage).flatMap { try? JSONReader.read($0.utf8) }
        let model = trace.metadata(TraceKey.model) ?? ""
        return Piece.facts([
            (
                "Started",
                "\(Piece.moment(trace.requestTime)) <span class=\"dim\">(\(Piece.relative(trace.requestTime, now: service.now())))</span>"
            ),
            ("Duration", trace.duration.map { "\(Piece.span(milliseconds: $0))" } ?? .empty),
            ("Spans", "\(Piece.grouped(tree.spanCount))"),
            ("Tokens", usage?["total_tokens"]?.int64.map { "\(Piece.grouped(Int(clamping: $0)))" } ?? .empty),
            ("Runs", runs.joined(separator: ", ")),
            ("Model", model.isEmpty ? .empty : "<a href=\"/logged-models/\(URLText.encode(model))\"><code>\(model)</code></a>"),
            ("Session", session.isEmpty ? .empty : sessionLink(session, trace.experimentID)),
            ("Request id", "\(trace.clientRequestID ?? "")"), ("Trace id", "<code>\(trace.id)</code>"),
        ])
    }

    private func sessionLink(_ session: String, _ experiment: String) -> HTML {
        guard !session.contains("'") else { return "\(session)" }
        let filter = URLText.encode("metadata.`\(TraceKey.session)` = '\(session)'")
        return "<a href=\"/experiments/\(experiment)/traces?filter=\(filter)\" title=\"Traces of this session\">\(session)</a>"
    }

    // MARK: One span

    private func detail(_ span: TraceSpan, _ trace: TraceInfo) -> HTML {
        let own = span.attributes.filter { ![TraceSpan.inputsName, TraceSpan.outputsName, "mlflow.traceRequestId"].contains($0.key) }
        let events = span.events.map { event -> HTML in
            let rows = event.attributes.map { pair -> (name: String, value: HTML) in (pair.key, value(pair.value)) }
            let after = Piece.precise(nanoseconds: event.time - span.start)
            return "<h3>\(event.name) <span class=\"dim\">after \(after)</span></h3>\(Piece.facts(rows))"
        }
        let message: HTML = span.message.isEmpty ? .empty : "<p class=\"error\">\(span.message)</p>"
        let links = span.links.map { link -> HTML in "<li><a href=\"\(Self.address(link.traceID))\"><code>\(link.traceID)</code></a></li>" }
        return """
            <section id="span" aria-label="Span"><h2>\(Piece.clip(span.name)) \(SpanTree.type(span)) \(SpanTree.status(span)) <span class="dim">\(SpanTree.duration(span))</span></h2>\(message)
            <div class="columns">\(block("Inputs", span.inputs))\(block("Outputs", span.outputs))</div>\
            \(Piece.section("Events", events.joined()))\(links.isEmpty ? .empty : Piece.section("Links", "<ul>\(links)</ul>"))\
            \(Piece.section("Attributes", Piece.facts(own.prefix(Self.maxRows).map { ($0.key, value($0.value)) })))</section>
            """
    }

    private func block(_ title: String, _ value: JSONValue?) -> HTML {
        guard let value else { return .empty }
        return "<section><h2>\(title)</h2><pre><code>\(Self.cut(value.string ?? JSONPretty.text(value)))</code></pre></section>"
    }

    private func value(_ value: JSONValue) -> HTML {
        switch value {
        case .string(let text):
            text.contains("\n") ? "<pre><code>\(Self.cut(text))</code></pre>" : "\(Self.cut(text))"
        case .array, .object: "<pre><code>\(Self.cut(JSONPretty.text(value)))</code></pre>"
        default: "<code>\(JSONPretty.text(value, indent: false))</code>"
        }
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > maxValue, text.count > maxValue else { return text }
        return text.prefix(maxValue) + "\n… (cut after \(Piece.grouped(maxValue)) characters)"
    }

    // MARK: What was said and noted

    private func assessments(_ trace: TraceInfo) -> HTML {
        guard !trace.assessments.isEmpty else { return .empty }
        let now = service.now()
        return TableMarkup(
            [.text("Name"), .text("Kind"), .text("Value"), .text("Why"), .text("From"), .text("When")],
            rows: trace.assessments.prefix(Self.maxRows).map { said in
                let failure: HTML = said.failure.map { " <span class=\"bad\">\($0.code): \($0.message ?? "")</span>" } ?? .empty
                let old: HTML = said.isValid ? .empty : " <span class=\"tag\">replaced</span>"
                return [
                    "\(said.name)\(old)", "\(said.kind.rawValue)", "\(value(said.value))\(failure)", Piece.clip(said.rationale ?? ""),
                    "\(said.sourceType.lowercased().replacing("_", with: " ")) \(said.sourceID ?? "")",
                    Piece.ago(said.lastUpdateTime, now: now),
                ]
            }
        ).render()
    }

    private func notes(_ trace: TraceInfo) -> HTML {
        func table(_ title: String, _ pairs: [KeyValue]) -> HTML {
            guard !pairs.isEmpty else { return .empty }
            return TableMarkup(
                [.text(title), .text("Value")], rows: pairs.prefix(Self.maxRows).map { ["\($0.key)", "\(String($0.value.prefix(2_000)))"] }
            ).render()
        }
        let own = trace.tags.filter { !$0.key.hasPrefix("mlflow.") }, noted = trace.tags.filter { $0.key.hasPrefix("mlflow.") }
        let clients = noted + trace.metadata
        let rest: HTML =
            clients.isEmpty
            ? .empty
            : "<details><summary class=\"dim\">What the client noted (\(clients.count))</summary>\(table("Key", clients))</details>"
        return "\(table("Tag", own))\(rest)"
    }
}
