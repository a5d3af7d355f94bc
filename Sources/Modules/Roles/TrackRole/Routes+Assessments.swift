import Domain
import Tracking
import Web

extension Route {
    static let assessments: [Route] = [
        Route(.post, path: "traces/{trace_id}/assessments", version: "3.0") { service, arguments in
            let said = try arguments.object("assessment").assessment(trace: arguments.text("trace_id"), now: service.now())
            let made = try await service.traces.create(said)
            return .message("assessment") { $0.assessment(made) }
        },
        Route(.get, path: "traces/{trace_id}/assessments/{assessment_id}", version: "3.0") { service, arguments in
            let found = try await service.traces.assessment(arguments.text("assessment_id"), trace: arguments.text("trace_id"))
            return .message("assessment") { $0.assessment(found) }
        },
        Route(.patch, path: "traces/{trace_id}/assessments/{assessment_id}", version: "3.0") { service, arguments in
            let changed = try await service.traces.update(
                arguments.text("assessment_id"), trace: arguments.text("trace_id"), change(arguments), now: service.now())
            return .message("assessment") { $0.assessment(changed) }
        },
        Route(.delete, path: "traces/{trace_id}/assessments/{assessment_id}", version: "3.0") { service, arguments in
            try await service.traces.deleteAssessment(arguments.text("assessment_id"), trace: arguments.text("trace_id"))
            return .empty
        },
    ]

    private static func change(_ arguments: Arguments) throws(TrackingError) -> TraceStore.AssessmentChange {
        let said = try arguments.object("assessment")
        let mask = try arguments.text("update_mask")
        var change = TraceStore.AssessmentChange()
        for path in mask.split(separator: ",") {
            switch path {
            case "assessment_name", "assessmentName": change.name = try said.optionalText("assessment_name") ?? ""
            case "expectation": change.expectation = try said.optionalObject("expectation").expectation()
            case "feedback":
                let feedback = try said.optionalObject("feedback")
                change.feedback = (feedback.assessed("value"), try feedback.failure())
            case "rationale": change.rationale = try said.optionalText("rationale") ?? ""
            case "metadata": change.metadata = try said.map("metadata")
            case "valid": change.isValid = try said.flag("valid")
            default:
                throw TrackingError(
                    .invalidParameter,
                    "Invalid update_mask '\(Validation.shown(mask))': '\(Validation.shown(String(path)))' of an assessment cannot be updated"
                )
            }
        }
        return change
    }
}

extension Arguments {
    func assessment(trace: String, now: EventTime.Milliseconds) throws(TrackingError) -> Assessment {
        let source = try optionalObject("source"), type = try source.optionalText("source_type") ?? ""
        let isKnown = Assessment.sourceTypes.contains(type)
        let kind: Assessment.Kind, value: JSONValue
        var failure: Assessment.Failure?
        if self["feedback"] != nil {
            let feedback = try object("feedback")
            (kind, value, failure) = (.feedback, feedback.assessed("value"), try feedback.failure())
        } else if self["expectation"] != nil {
            (kind, value) = (.expectation, try object("expectation").expectation())
        } else if self["issue"] != nil {
            let name = try object("issue").optionalText("issue_name") ?? ""
            (kind, value) = (.issue, .object([.init("issue_name", .string(name))]))
        } else {
            throw TrackingError(.invalidParameter, "Unknown assessment type: None")
        }
        let metadata = try map("metadata")
        return Assessment(
            id: try given("assessment_id") ?? "", traceID: trace, kind: kind, name: try optionalText("assessment_name") ?? "",
            value: value, failure: failure, sourceType: isKnown ? type : Assessment.unknownSource,
            sourceID: try source.given("source_id"), createTime: try time("create_time") ?? now,
            lastUpdateTime: try time("last_update_time") ?? now, spanID: try given("span_id"),
            rationale: kind == .expectation ? nil : try given("rationale"), metadata: metadata, overrides: try given("overrides"),
            isValid: self["valid"] == nil ? true : try flag("valid"))
    }

    /// A text that says something.
    private func given(_ name: String) throws(TrackingError) -> String? {
        try optionalText(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A value as it travels: the protocol knows one kind of number.
    fileprivate func assessed(_ name: String) -> JSONValue { Self.withDoubles(self[name] ?? .null) }

    private static func withDoubles(_ value: JSONValue) -> JSONValue {
        switch value {
        case .int(let number): .double(Double(number))
        case .array(let values): .array(values.map { withDoubles($0) })
        case .object(let members): .object(members.map { .init($0.key, withDoubles($0.value)) })
        default: value
        }
    }

    fileprivate func expectation() throws(TrackingError) -> JSONValue {
        guard self["serialized_value"] != nil else { return assessed("value") }
        let serialized = try object("serialized_value"), text = try serialized.optionalText("value") ?? ""
        guard let value = try? JSONReader.read(text.utf8) else { throw serialized.invalid(.string(text), "value") }
        return value
    }

    fileprivate func failure() throws(TrackingError) -> Assessment.Failure? {
        guard self["error"] != nil else { return nil }
        let error = try object("error")
        return Assessment.Failure(
            code: try error.optionalText("error_code") ?? "", message: try error.optionalText("error_message"),
            stack: try error.optionalText("stack_trace"))
    }
}
