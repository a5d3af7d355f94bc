import Domain
import Foundation
import Tracking
import Web

/// The messages of the protocol about traces.
extension JSONWriter {
    /// Values of a trace lose their end in answers, as they do in the clients.
    private static let metadataLimit = 250, tagLimit = 4_096

    private static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit)))
    }

    private mutating func map(_ name: String, _ pairs: [KeyValue], limit: Int = .max) {
        guard !pairs.isEmpty else { return }
        key(name)
        object { writer in
            for pair in pairs { writer.field(Self.cut(pair.key, 250), Self.cut(pair.value, limit)) }
        }
    }

    mutating func traceInfo(_ trace: TraceInfo) {
        object { writer in
            writer.field("trace_id", trace.id)
            writer.field("client_request_id", trace.clientRequestID)
            writer.key("trace_location")
            writer.object { writer in
                writer.field("type", "MLFLOW_EXPERIMENT")
                writer.key("mlflow_experiment")
                writer.object { $0.field("experiment_id", trace.experimentID) }
            }
            writer.field("request_preview", trace.requestPreview)
            writer.field("response_preview", trace.responsePreview)
            writer.field("request_time", TraceTime.text(trace.requestTime))
            writer.field("execution_duration", trace.duration.map { TraceTime.duration($0) })
            writer.field("state", trace.state.rawValue)
            writer.map("trace_metadata", trace.metadata, limit: Self.metadataLimit)
            writer.list("assessments", trace.assessments) { $0.assessment($1) }
            writer.map("tags", trace.tags, limit: Self.tagLimit)
        }
    }

    /// As clients before 3.0 read it.
    mutating func oldTraceInfo(_ trace: TraceInfo) {
        object { writer in
            writer.field("request_id", trace.id)
            writer.field("experiment_id", trace.experimentID)
            writer.field("timestamp_ms", trace.requestTime)
            writer.field("execution_time_ms", trace.duration ?? 0)
            writer.field("status", trace.state == .unspecified ? "TRACE_STATUS_UNSPECIFIED" : trace.state.rawValue)
            writer.pairs("request_metadata", trace.metadata.map { KeyValue($0.key, Self.cut($0.value, Self.metadataLimit)) })
            writer.pairs("tags", trace.tags.map { KeyValue($0.key, Self.cut($0.value, Self.tagLimit)) })
        }
    }

    /// A trace with its spans, when there are any.
    mutating func trace(_ trace: TraceInfo, _ spans: [TraceSpan] = []) {
        object { writer in
            writer.key("trace_info")
            writer.traceInfo(trace)
            writer.list("spans", spans) { $0.span($1) }
        }
    }

    mutating func assessment(_ assessment: Assessment) {
        object { writer in
            writer.field("assessment_id", assessment.id)
            writer.field("assessment_name", assessment.name)
            writer.field("trace_id", assessment.traceID)
            writer.field("span_id", assessment.spanID)
            writer.key("source")
            writer.object { writer in
                writer.field("source_type", assessment.sourceType)
                writer.field("source_id", assessment.sourceID)
            }
            writer.field("create_time", TraceTime.text(assessment.createTime))
            writer.field("last_update_time", TraceTime.text(assessment.lastUpdateTime))
            writer.key(assessment.kind.rawValue)
            writer.object { $0.assessmentValue(assessment) }
            writer.field("rationale", assessment.rationale)
            writer.map("metadata", assessment.metadata)
            writer.field("overrides", assessment.overrides)
            writer.field("valid", assessment.isValid)
        }
    }

    private mutating func assessmentValue(_ assessment: Assessment) {
        switch (assessment.kind, assessment.value) {
        case (.issue, let value): field("issue_name", value["issue_name"]?.string)
        case (.expectation, .array), (.expectation, .object):
            key("serialized_value")
            object { writer in
                writer.field("serialization_format", "JSON_FORMAT")
                writer.field("value", PythonJSON.text(assessment.value, isASCII: true))
            }
        default:
            key("value")
            value(assessment.value)
        }
        guard let failure = assessment.failure else { return }
        key("error")
        object { writer in
            writer.field("error_code", failure.code)
            writer.field("error_message", failure.message)
            writer.field("stack_trace", failure.stack)
        }
    }

    // MARK: Spans

    /// OpenTelemetry's `Span` under its protocol names.
    mutating func span(_ span: TraceSpan) {
        object { writer in
            writer.field("trace_id", Hexadecimal.base64(span.traceHex))
            writer.field("span_id", Hexadecimal.base64(span.id))
            writer.field("parent_span_id", span.parent.map { Hexadecimal.base64($0) })
            writer.field("name", span.name)
            writer.field("start_time_unix_nano", span.start)
            writer.field("end_time_unix_nano", span.end)
            writer.list("attributes", span.attributes) { $0.spanAttribute($1.key, $1.value) }
            writer.list("events", span.events) { writer, event in
                writer.object { writer in
                    writer.field("time_unix_nano", event.time)
                    writer.field("name", event.name)
                    writer.list("attributes", event.attributes) { $0.spanAttribute($1.key, $1.value) }
                }
            }
            writer.list("links", span.links) { writer, link in
                writer.object { writer in
                    writer.field("trace_id", Hexadecimal.base64(link.traceID.replacing("tr-", with: "")))
                    writer.field("span_id", Hexadecimal.base64(link.spanID))
                    writer.list("attributes", link.attributes) { $0.spanAttribute($1.key, $1.value) }
                }
            }
            writer.key("status")
            writer.object { writer in
                if !span.message.isEmpty { writer.field("message", span.message) }
                if span.status != .unset { writer.field("code", "STATUS_CODE_\(span.status.rawValue)") }
            }
        }
    }

    private mutating func spanAttribute(_ name: String, _ value: JSONValue) {
        object { writer in
            writer.field("key", name)
            guard value != .null else { return }
            writer.key("value")
            writer.anyValue(value)
        }
    }

    private mutating func anyValue(_ value: JSONValue) {
        object { writer in
            switch value {
            case .null: return
            case .bool(let flag): writer.field("bool_value", flag)
            case .int(let number): writer.field("int_value", number)
            case .double(let number): writer.field("double_value", number)
            case .string(let text): writer.field("string_value", text)
            case .array(let values):
                writer.key("array_value")
                writer.object { $0.list("values", values) { $0.anyValue($1) } }
            case .object(let members):
                writer.key("kvlist_value")
                writer.object { $0.list("values", members) { $0.spanAttribute($1.key, $1.value) } }
            }
        }
    }
}
