import Domain
import Foundation
import Tracking
import Web

extension Route {
    static let traces: [Route] = [
        Route(.post, path: "traces", version: "3.0") { service, arguments in
            let info = try await service.traces.start(arguments.object("trace").optionalObject("trace_info").traceInfo(now: service.now()))
            return .message("trace") { $0.trace(info) }
        },
        Route(.get, path: "traces/get", version: "3.0") { service, arguments in
            let id = try arguments.text("trace_id"), isPartial = try arguments.flag("allow_partial")
            let (trace, spans) = try await service.wholeTrace(id, allowsPartial: isPartial)
            return .message("trace") { $0.trace(trace, spans) }
        },
        Route(.get, path: "traces/batchGet", version: "3.0") { service, arguments in
            var found: [(TraceInfo, [TraceSpan])] = []
            for trace in try await service.traces.traces(ids: traceIDs(arguments), experiments: asked(arguments)) {
                let spans = try await service.spans(of: trace)
                // Only whole traces: a client that gets one believes it has everything.
                if !spans.isEmpty, spans.count >= trace.expectedSpans { found.append((trace, spans)) }
            }
            return .object { $0.list("traces", found) { $0.trace($1.0, $1.1) } }
        },
        Route(.post, path: "traces/batchGetInfos", version: "3.0") { service, arguments in
            let traces = try await service.traces.traces(ids: traceIDs(arguments), experiments: asked(arguments))
            return .object { $0.list("trace_infos", traces) { $0.traceInfo($1) } }
        },
        Route(.post, path: "traces/search", version: "3.0") { service, arguments in
            let page = try await service.traces.search(search(arguments, arguments.locations()))
            return .object { writer in
                writer.list("traces", page.elements) { $0.traceInfo($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.get, path: "traces/{trace_id}", version: "3.0") { service, arguments in
            let trace = try await service.traces.trace(id: arguments.text("trace_id"))
            return .message("trace") { $0.trace(trace) }
        },
        Route(.patch, path: "traces/{trace_id}/tags", version: "3.0") { service, arguments in
            try await setTag(service, arguments, "trace_id")
        },
        Route(.delete, path: "traces/{trace_id}/tags", version: "3.0") { service, arguments in
            try await deleteTag(service, arguments, "trace_id")
        },
        Route(.post, path: "traces/delete-traces", version: "3.0") { service, arguments in try await deleteTraces(service, arguments) },
        Route(.post, path: "traces/calculate-filter-correlation", version: "3.0") { service, arguments in
            let experiments = try arguments.requiredTexts("experiment_ids")
            let found = try await service.traces.correlation(
                experiments: experiments, arguments.text("filter_string1"), arguments.text("filter_string2"),
                base: arguments.optionalText("base_filter") ?? "")
            return .object { writer in
                for (name, value) in [("npmi", found.npmi), ("npmi_smoothed", found.smoothed)] {
                    if let value { writer.field(name, value) }
                }
                writer.field("filter1_count", Int64(found.first))
                writer.field("filter2_count", Int64(found.second))
                writer.field("joint_count", Int64(found.both))
                writer.field("total_count", Int64(found.total))
            }
        },
    ]

    /// What clients before 3.0 send, and the routes that kept their number.
    static let oldTraces: [Route] = [
        Route(.post, path: "traces") { service, arguments in
            let trace = try await service.traces.startOld(
                experiment: arguments.text("experiment_id"), time: arguments.optionalInt("timestamp_ms") ?? service.now(),
                metadata: arguments.pairs("request_metadata"), tags: arguments.pairs("tags"))
            return .message("trace_info") { $0.oldTraceInfo(trace) }
        },
        Route(.get, path: "traces") { service, arguments in
            let page = try await service.traces.search(search(arguments, arguments.requiredTexts("experiment_ids")))
            return .object { writer in
                writer.list("traces", page.elements) { $0.oldTraceInfo($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.patch, path: "traces/{request_id}") { service, arguments in
            let trace = try await service.traces.endOld(
                id: arguments.text("request_id"), time: arguments.int("timestamp_ms"), state: arguments.traceState("status"),
                metadata: arguments.pairs("request_metadata"), tags: arguments.pairs("tags"))
            return .message("trace_info") { $0.oldTraceInfo(trace) }
        },
        Route(.get, path: "traces/{request_id}/info") { service, arguments in
            let trace = try await service.traces.trace(id: arguments.text("request_id"))
            return .message("trace_info") { $0.oldTraceInfo(trace) }
        },
        Route(.patch, path: "traces/{request_id}/tags") { service, arguments in try await setTag(service, arguments, "request_id") },
        Route(.delete, path: "traces/{request_id}/tags") { service, arguments in try await deleteTag(service, arguments, "request_id") },
        Route(.post, path: "traces/delete-traces") { service, arguments in try await deleteTraces(service, arguments) },
        Route(.post, path: "traces/link-to-run") { service, arguments in
            try await service.traces.link(traces: traceIDs(arguments), toRun: arguments.text("run_id"))
            return .empty
        },
        Route(.post, path: "traces/link-prompts") { service, arguments in
            let id = try arguments.text("trace_id")
            guard arguments["prompt_versions"] != nil else { throw arguments.missing("prompt_versions") }
            let versions = try arguments.objects("prompt_versions") { (version) throws(TrackingError) in
                try version.text("name") + "/" + version.text("version")
            }
            try await service.traces.link(trace: id, toPrompts: versions)
            return .empty
        },
        Route(.get, path: "get-online-trace-details") { _, _ in
            throw TrackingError(.notImplemented, "Traces of inference tables are not supported; this server keeps traces of experiments")
        },
    ]

    private static func traceIDs(_ arguments: Arguments) throws(TrackingError) -> [String] {
        let ids = try arguments.requiredTexts("trace_ids")
        guard ids.count <= 1_000 else {
            throw TrackingError(.invalidParameter, "At most 1000 traces can be named in one request; got \(ids.count)")
        }
        return ids
    }

    /// The experiments a request restricts itself to; `nil` for none.
    private static func asked(_ arguments: Arguments) throws(TrackingError) -> [String]? {
        arguments["experiment_ids"] == nil ? nil : try arguments.texts("experiment_ids")
    }

    private static func search(_ arguments: Arguments, _ experiments: [String]) throws(TrackingError) -> TraceSearch {
        var search = TraceSearch(experiments: experiments)
        search.filter = try arguments.optionalText("filter") ?? ""
        search.order = try arguments.texts("order_by")
        if let asked = try arguments.optionalInt("max_results"), asked > TraceSearch.maxPage {
            throw TrackingError(
                .invalidParameter,
                "Invalid value \(asked) for parameter 'max_results' supplied:  Hint: Value was of type 'int'. \(Validation.seeDocs)")
        }
        search.maxResults = try Validation.maxResults(arguments.optionalInt("max_results"), default: 100, limit: TraceSearch.maxPage)
        search.pageToken = try arguments.optionalText("page_token")
        return search
    }

    private static func setTag(_ service: TrackService, _ arguments: Arguments, _ id: String) async throws -> Reply {
        let key = try arguments.text("key")
        guard !TraceKey.ownTags.contains(key) else {
            throw TrackingError(.invalidParameter, "Tag '\(key)' is immutable and cannot be set on a trace.")
        }
        let value = try arguments.optionalText("value") ?? ""
        try await service.traces.setTag(trace: arguments.text(id), KeyValue(key, value))
        return .empty
    }

    private static func deleteTag(_ service: TrackService, _ arguments: Arguments, _ id: String) async throws -> Reply {
        let key = try arguments.text("key")
        // Removing the note of a failed move is how a person lets it be tried again.
        guard !TraceKey.ownTags.contains(key) || key == "mlflow.trace.archivalFailure" else {
            throw TrackingError(.invalidParameter, "Tag '\(key)' is immutable and cannot be deleted on a trace.")
        }
        try await service.traces.deleteTag(trace: arguments.text(id), key: key)
        return .empty
    }

    private static func deleteTraces(_ service: TrackService, _ arguments: Arguments) async throws -> Reply {
        let experiment = try arguments.text("experiment_id")
        let gone = try await service.traces.delete(
            experiment: experiment, until: arguments.optionalInt("max_timestamp_millis"), limit: arguments.optionalInt("max_traces"),
            ids: arguments.texts("request_ids"))
        if !gone.isEmpty { try await service.removeFiles(ofTraces: gone, experiment: experiment) }
        return .object { $0.field("traces_deleted", Int64(gone.count)) }
    }
}

extension Arguments {
    /// A list that must be given and not be empty.
    func requiredTexts(_ name: String) throws(TrackingError) -> [String] {
        let texts = try texts(name)
        guard !texts.isEmpty else { throw missing(name) }
        return texts
    }

    /// A map of texts.
    func map(_ name: String) throws(TrackingError) -> [KeyValue] {
        guard let value = self[name] else { return [] }
        guard let members = value.members else { throw invalid(value, name) }
        var pairs: [KeyValue] = []
        for member in members {
            guard let text = member.value.string else { throw invalid(member.value, "\(name).\(member.key)") }
            pairs.append(KeyValue(member.key, text))
        }
        return pairs
    }

    func time(_ name: String) throws(TrackingError) -> EventTime.Milliseconds? {
        guard let value = self[name] else { return nil }
        guard let text = value.string, let time = TraceTime.milliseconds(text) else { throw invalid(value, name) }
        return time
    }

    func traceState(_ name: String) throws(TrackingError) -> TraceState {
        guard let value = self[name] else { return .unspecified }
        if value.string == "TRACE_STATUS_UNSPECIFIED" { return .unspecified }
        guard let state = value.string.flatMap({ TraceState(rawValue: $0) }) ?? value.int64.flatMap({ TraceState(number: $0) }) else {
            throw invalid(value, name)
        }
        return state
    }

    /// The experiment that a trace says it lies in.
    func traceExperiment() throws(TrackingError) -> String {
        try optionalObject("trace_location").optionalObject("mlflow_experiment").text("experiment_id")
    }

    func locations() throws(TrackingError) -> [String] {
        guard self["locations"] != nil else { throw missing("locations") }
        let places = try objects("locations") { (place) throws(TrackingError) in
            place["mlflow_experiment"] == nil ? nil : try place.object("mlflow_experiment").optionalText("experiment_id")
        }
        return places.compactMap { $0 }
    }

    func traceInfo(now: EventTime.Milliseconds) throws(TrackingError) -> TraceInfo {
        let id = try text("trace_id")
        var duration: Int64?
        if let value = self["execution_duration"] {
            guard let parsed = value.string.flatMap({ TraceTime.milliseconds(ofDuration: $0) }) else {
                throw invalid(value, "execution_duration")
            }
            duration = parsed
        }
        return TraceInfo(
            id: id, experimentID: try traceExperiment(), requestTime: try time("request_time") ?? now, duration: duration,
            state: try traceState("state"), clientRequestID: try optionalText("client_request_id"),
            requestPreview: try optionalText("request_preview"), responsePreview: try optionalText("response_preview"),
            metadata: try map("trace_metadata"), tags: try map("tags"),
            assessments: try objects("assessments") { (assessment) throws(TrackingError) in
                try assessment.assessment(trace: id, now: now)
            })
    }
}
