import GRDB
import Web

/// The conditions of a search for traces, each as SQL with its values bound.
///
/// What is asked of spans is asked of one span: `span.name = 'a' AND span.status = 'ERROR'` finds traces where a span called
/// `a` failed.
struct TraceConditions {
    private(set) var parts: [String] = []
    private(set) var arguments = StatementArguments()

    private static let spanTexts = ["name": "s.name", "type": "s.type", "status": "s.status", "content": "s.content"]
    private static let assessmentKinds: Set<String> = ["feedback", "expectation"]

    init(_ filter: SearchFilter) throws(TrackingError) {
        var plain: [SearchFilter.Comparison] = [], spans: [SearchFilter.Comparison] = []
        guard filter.comparisons.count <= SearchGrammar.maxComparisons else {
            // The grammar has the words for it.
            _ = try TraceGrammar.grammar.condition(filter)
            return
        }
        for comparison in filter.comparisons {
            switch (comparison.entity, comparison.key) {
            case ("span", _): spans.append(comparison)
            case (nil, "text"), ("trace", "text"), ("attribute", "text"), ("attributes", "text"):
                spans.append(SearchFilter.Comparison(entity: "span", key: "content", op: comparison.op, literal: comparison.literal))
            case (let entity?, _) where Self.assessmentKinds.contains(entity): try add(assessment: comparison, kind: entity)
            case ("issue", _): try add(issue: comparison)
            case (let entity, "prompt") where TraceGrammar.isAttribute(entity): try add(prompt: comparison)
            case (let entity, "run_id") where TraceGrammar.isAttribute(entity) && comparison.op == .equal: try add(run: comparison)
            default: plain.append(comparison)
            }
        }
        let condition = try TraceGrammar.grammar.condition(SearchFilter(comparisons: plain))
        parts.append(condition.sql)
        arguments += condition.arguments
        if !spans.isEmpty { try add(spans: spans) }
    }

    private mutating func add(_ sql: String, _ values: StatementArguments) {
        parts.append(sql)
        arguments += values
    }

    // MARK: Spans

    private mutating func add(spans: [SearchFilter.Comparison]) throws(TrackingError) {
        var tests: [String] = []
        var values = StatementArguments()
        for comparison in spans {
            let (sql, own) = try Self.span(comparison)
            tests.append(sql)
            values += own
        }
        add("EXISTS (SELECT 1 FROM spans s WHERE s.trace = t.seq AND \(tests.joined(separator: " AND ")))", values)
    }

    private static func span(_ comparison: SearchFilter.Comparison) throws(TrackingError) -> (String, StatementArguments) {
        let prefix = "attributes."
        if [.isNull, .isNotNull].contains(comparison.op) { throw TraceGrammar.grammar.undefined(comparison) }
        if let sql = spanTexts[comparison.key] {
            if comparison.key == "content", ![.like, .ilike].contains(comparison.op) { throw TraceGrammar.grammar.undefined(comparison) }
            return try TraceGrammar.grammar.test(sql, .text, comparison)
        }
        guard comparison.key.hasPrefix(prefix), comparison.key.count > prefix.count else {
            throw TrackingError(
                .invalidParameter,
                "Invalid span attribute '\(Validation.shown(comparison.key))'. Supported attributes: name, status, type, attributes.<attribute_name>."
            )
        }
        let name = String(comparison.key.dropFirst(prefix.count))
        guard !name.contains("\"") else {
            throw TrackingError(.invalidParameter, "Invalid span attribute '\(Validation.shown(name))': it contains a quote")
        }
        let (sql, values) = try TraceGrammar.grammar.test("v.value", .text, comparison)
        return (
            """
            EXISTS (SELECT 1 FROM (SELECT CASE WHEN json_valid(w.said) AND json_type(w.said) = 'text' THEN json_extract(w.said, '$') \
            ELSE w.said END AS value FROM (SELECT json_extract(s.content, ?) AS said) w) v WHERE \(sql))
            """, ["$.attributes.\"\(name)\""] + values
        )
    }

    // MARK: Assessments

    private mutating func add(assessment comparison: SearchFilter.Comparison, kind: String) throws(TrackingError) {
        guard !comparison.key.isEmpty else { throw TrackingError(.invalidParameter, "Assessment field name cannot be empty") }
        let own: StatementArguments = [kind, comparison.key]
        switch comparison.op {
        case .isNull: add("NOT " + Self.assessment("1"), own)
        case .isNotNull: add(Self.assessment("1"), own)
        default:
            let (sql, values) = try Self.value(comparison, kind)
            add(Self.assessment(sql), own + values)
        }
    }

    /// An assessment of the trace, or one of its whole session that was given to another trace of it.
    private static func assessment(_ test: String) -> String {
        """
        EXISTS (SELECT 1 FROM assessments a WHERE (a.trace = t.seq OR (t.session IS NOT NULL AND a.trace IN (
            SELECT f.seq FROM traces f WHERE f.experiment = t.experiment AND f.session = t.session)
            AND instr(coalesce(a.metadata, ''), '"\(TraceKey.session)":') > 0))
            AND a.kind = ? AND a.name = ? AND a.valid AND \(test))
        """
    }

    private static func value(_ comparison: SearchFilter.Comparison, _ kind: String) throws(TrackingError) -> (String, StatementArguments) {
        switch (comparison.op, comparison.literal) {
        case (.less, .number(let number)), (.lessOrEqual, .number(let number)), (.greater, .number(let number)),
            (.greaterOrEqual, .number(let number)):
            return ("a.number \(comparison.op.rawValue) ?", [number])
        case (.less, _), (.lessOrEqual, _), (.greater, _), (.greaterOrEqual, _):
            throw TrackingError(
                .invalidParameter, "Expected a numeric value for \(kind) when using comparator '\(comparison.op.rawValue)'")
        case (.equal, .text(let text)): return ("a.value IN (?, ?)", [text, PythonJSON.text(.string(text), isASCII: true)])
        case (.notEqual, .text(let text)): return ("a.value NOT IN (?, ?)", [text, PythonJSON.text(.string(text), isASCII: true)])
        case (.like, .text), (.ilike, .text), (.rlike, .text):
            // A text is matched as it reads, not with the quotes it is stored in.
            return try TraceGrammar.grammar.test(
                "(CASE WHEN json_type(a.value) = 'text' THEN json_extract(a.value, '$') ELSE a.value END)", .text, comparison)
        case (_, .number(let number)):
            let shown = Int64(exactly: number).map { "\($0)" } ?? "\(number)"
            throw TrackingError(
                .invalidParameter, "Expected a quoted string value for \(kind) (e.g. 'my-value'). Got value \(shown)")
        default: throw TraceGrammar.grammar.undefined(comparison)
        }
    }

    private mutating func add(issue comparison: SearchFilter.Comparison) throws(TrackingError) {
        guard comparison.key == "id" else {
            throw TrackingError(
                .invalidParameter, "Invalid issue attribute '\(Validation.shown(comparison.key))'. Supported attributes: id")
        }
        guard comparison.op == .equal, case .text(let id) = comparison.literal else { throw TraceGrammar.grammar.undefined(comparison) }
        add("EXISTS (SELECT 1 FROM assessments a WHERE a.trace = t.seq AND a.kind = 'issue' AND a.name = ?)", [id])
    }

    // MARK: Links

    private mutating func add(prompt comparison: SearchFilter.Comparison) throws(TrackingError) {
        guard comparison.op == .equal, case .text(let prompt) = comparison.literal else {
            throw TrackingError(
                .invalidParameter,
                "Invalid comparator '\(comparison.op.rawValue)' for prompts filter. Only '=' is supported with format: prompt = \"name/version\""
            )
        }
        guard prompt.count(where: { $0 == "/" }) == 1 else {
            throw TrackingError(
                .invalidParameter,
                "Invalid prompts filter value '\(Validation.shown(prompt))'. Expected format: prompt = \"name/version\"")
        }
        add("EXISTS (SELECT 1 FROM trace_links l WHERE l.trace = t.seq AND l.kind = 'prompt' AND l.target = ?)", [prompt])
    }

    /// A trace belongs to the run that made it and to those it was linked to.
    private mutating func add(run comparison: SearchFilter.Comparison) throws(TrackingError) {
        guard case .text(let run) = comparison.literal else {
            _ = try TraceGrammar.grammar.test("", .text, comparison)
            return
        }
        add(
            """
            t.seq IN (SELECT l.trace FROM trace_links l WHERE l.kind = 'run' AND l.target = ?
            UNION SELECT m.trace FROM trace_metadata m WHERE m.key = 'mlflow.sourceRun' AND m.value = ?)
            """, [run, run])
    }
}

/// What a search for traces may name.
enum TraceGrammar {
    private static let entities: Set<String> = ["trace"]

    static func isAttribute(_ entity: String?) -> Bool {
        guard let entity else { return true }
        return entities.contains(entity) || ["attribute", "attributes", "attr"].contains(entity)
    }

    static let grammar: SearchGrammar = {
        let tags = SearchGrammar.Collection(.text, table: "trace_tags @", condition: "@.trace = t.seq AND @.key = ?")
        let metadata = SearchGrammar.Collection(.text, table: "trace_metadata @", condition: "@.trace = t.seq AND @.key = ?")
        let run = "(SELECT m.value FROM trace_metadata m WHERE m.trace = t.seq AND m.key = 'mlflow.sourceRun')"
        let start = SearchGrammar.Attribute(.number, "t.request_time", isAlwaysThere: true)
        let id = SearchGrammar.Attribute(.text, "t.id", isListed: true, isAlwaysThere: true),
            duration = SearchGrammar.Attribute(.number, "t.duration")
        let end = SearchGrammar.Attribute(.number, "(t.request_time + coalesce(t.duration, 0))")
        return SearchGrammar(
            subject: "trace",
            attributes: [
                "request_id": id, "trace_id": id, "timestamp": start, "timestamp_ms": start, "execution_time": duration,
                "execution_time_ms": duration,
                "end_time": end, "end_time_ms": end, "status": .init(.text, "t.state", isListed: true),
                "name": .init(.text, "t.name", isListed: true, isNullable: true), "run_id": .init(.text, run, isListed: true),
                "client_request_id": .init(.text, "t.client_request_id", isListed: true),
                "experiment_id": .init(.number, "t.experiment"),
            ],
            collections: ["tag": tags, "tags": tags, "metadata": metadata, "request_metadata": metadata],
            attributeEntities: entities, hasPatterns: true)
    }()
}
