import Domain
import Expressions
import Features
import Learning
import Table

/// The resolved project in words: what `mlops check` prints.
package enum ProjectPlan {
    /// Sections in the order data flows through them, everything in declaration or dependency order: the same file gives the
    /// same text.
    package static func text(_ project: ProjectDefinition) -> String {
        var page = PlanPage()
        page.heading("project \(project.name)")
        page.rows([["folder", project.directory], ["definitions", String(project.hash.hex.prefix(16))]])
        sources(project, &page)
        for stream in project.streams { self.stream(stream, &page) }
        for table in project.tables {
            page.heading("table \(table.name)")
            page.rows([
                ["path", table.path], ["time", table.time.isEmpty ? "none" : table.time],
                ["key", table.key.isEmpty ? "none" : table.key.joined(separator: ", ")],
            ])
        }
        for view in project.views { self.view(view, project.schemas[view.name], &page) }
        if let training = project.training { TrainingPlan.add(training, &page) }
        if let serving = project.serving { self.serving(serving, &page) }
        if let monitoring = project.monitoring { self.monitoring(monitoring, &page) }
        page.heading("topics")
        page.rows(topics(project).map { [$0.name, $0.purpose] })
        return page.text
    }

    /// Every topic that the project's roles use, in the order of the plan.
    package static func topics(_ project: ProjectDefinition) -> [(name: String, purpose: String)] {
        var topics: [(String, String)] = []
        for stream in project.streams {
            topics.append((stream.topic, "events of \(stream.name)"))
            topics.append((stream.topic + ".dead", "events that were refused, with the reason"))
            topics.append((stream.topic + ".late", "events whose window had closed"))
        }
        for view in project.views where project.schemas[view.name] != nil {
            topics.append((view.topic, "rows of \(view.name)"))
            topics.append((view.topic + ".latest", "the latest row of every entity"))
            guard view.outliers?.action == .quarantine else { continue }
            topics.append((view.topic + ".quarantine", "rows held back as outliers, with the reason"))
        }
        if project.training != nil { topics.append((project.topicPrefix + "registry-events", "what happens to models")) }
        if project.serving != nil { topics.append((project.topicPrefix + "predictions", "every prediction made")) }
        return topics
    }

    // MARK: Data

    private static func sources(_ project: ProjectDefinition, _ page: inout PlanPage) {
        guard !project.sources.isEmpty else { return }
        page.heading("sources")
        page.rows(
            project.sources.map { source in
                var detail: [String] = []
                detail.append(SourcePlan.text(source.kind))
                if !source.set.isEmpty {
                    detail.append("set " + source.set.map { "\($0.field) = \(literal($0.value))" }.joined(separator: ", "))
                }
                if !source.map.isEmpty { detail.append("map " + source.map.map { "\($0.field) ← \($0.column)" }.joined(separator: ", ")) }
                return [source.name, "→ \(source.stream)", detail.joined(separator: "; ")]
            })
    }

    private static func literal(_ value: Value) -> String {
        var bytes: [UInt8] = []
        JSONText.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func stream(_ stream: StreamDefinition, _ page: inout PlanPage) {
        page.heading("stream \(stream.name)", "key \(stream.key.joined(separator: ", ")), time \(stream.time), topic \(stream.topic)")
        page.rows(
            stream.fields.map { field in
                let from = field.sources == [field.name] ? "" : "from \(field.sources.joined(separator: " or "))"
                return [field.name, field.type.rawValue + (field.isOptional ? "?" : ""), from]
            })
        if let dedupe = stream.dedupe { page.line("drops repeats of the latest \(dedupe.keep) \(dedupe.field) per key") }
        for requirement in stream.require { page.line("requires \(requirement.condition.normalised)") }
    }

    private static func view(_ view: ViewDefinition, _ schema: ViewSchema?, _ page: inout PlanPage) {
        var facts = ["from \(view.from.name)"]
        if let window = view.window {
            facts += WindowPlan.facts(window)
        } else {
            facts.append("one row per row")
        }
        if view.emit == .current { facts.append("present rows too") }
        page.heading("view \(view.name)", (facts + ["topic \(view.topic)"]).joined(separator: ", "))
        page.rows(columns(view, schema))
        if let filter = view.filter { page.line("only where \(filter.normalised)") }
        for lookup in view.lookups { page.line("looks up \(lookup.table.name) by \(lookup.on.joined(separator: ", "))") }
        for join in view.joins { page.line("joins the newest row of \(join.view), up to \(DurationText.format(join.within)) old") }
        if let outliers = view.outliers { page.line(outliers.canonical) }
        if let schema { page.line("every row also has " + carried(schema).joined(separator: ", ")) }
    }

    /// Name, type and expression of each declared column; a function with several outputs shows each of them.
    private static func columns(_ view: ViewDefinition, _ schema: ViewSchema?) -> [[String]] {
        guard let schema else { return view.columns.map { [$0.name, "", $0.expression.normalised] } }
        var rows: [[String]] = [], next = view.columns.makeIterator(), current = next.next()
        for output in schema.declared {
            let isOwn = output.name == current?.name
            rows.append([output.name, output.type.rawValue, isOwn ? current?.expression.normalised ?? "" : "″"])
            if isOwn { current = next.next() }
        }
        return rows
    }

    private static func carried(_ schema: ViewSchema) -> [String] {
        let declared = Set(schema.declared.map(\.name))
        return schema.key.map(\.name).filter { !declared.contains($0) } + schema.metadata.columns.map(\.name)
    }

    // MARK: Models

    private static func serving(_ serving: ServingDefinition, _ page: inout PlanPage) {
        page.heading("serving")
        var rows = serving.models.map { ["model", "\($0.name), alias \($0.alias)"] }
        if let view = serving.featuresFrom { rows.append(["features", "the latest rows of \(view)"]) }
        rows.append(["stream", serving.stream ? "every new final row is predicted" : "on request only"])
        page.rows(rows)
    }

    private static func monitoring(_ monitoring: MonitoringDefinition, _ page: inout PlanPage) {
        page.heading("monitoring")
        var rows = [["windows", "\(DurationText.format(monitoring.windows.length)), at least \(monitoring.windows.minRows) rows"]]
        if let labels = monitoring.labels {
            rows.append([
                "labels",
                "\(labels.value) of \(labels.view) by \(labels.key), \(DurationText.format(labels.horizon)) ahead, "
                    + "waited for \(DurationText.format(labels.wait))",
            ])
        }
        rows.append(["drift", "\(monitoring.drift.method.rawValue), from \(PlanPage.number(monitoring.drift.share)) of the columns on"])
        page.rows(rows)
    }
}
