package import Domain
package import Web

/// How a trace stands; raw values are the protocol's names.
package enum TraceState: String, Sendable, CaseIterable {
    case unspecified = "STATE_UNSPECIFIED", ok = "OK", error = "ERROR", inProgress = "IN_PROGRESS"

    package init?(number: Int64) {
        switch number {
        case 0: self = .unspecified
        case 1: self = .ok
        case 2: self = .error
        case 3: self = .inProgress
        default: return nil
        }
    }
}

/// The keys that the protocol gives a meaning.
package enum TraceKey {
    package static let name = "mlflow.traceName"
    package static let artifactLocation = "mlflow.artifactLocation"
    package static let spansLocation = "mlflow.trace.spansLocation"
    package static let session = "mlflow.trace.session"
    package static let user = "mlflow.trace.user"
    package static let tokenUsage = "mlflow.trace.tokenUsage"
    package static let cost = "mlflow.trace.cost"
    package static let sizeStats = "mlflow.trace.sizeStats"
    package static let sourceRun = "mlflow.sourceRun"
    package static let model = "mlflow.modelId"
    package static let linkedPrompts = "mlflow.linkedPrompts"
    /// Set once a client has handed over the trace itself: its times are then final.
    package static let finalized = "mlflow.trace.infoFinalized"
    /// The value of ``spansLocation`` of a trace whose spans are in the database.
    package static let trackingStore = "TRACKING_STORE"
    /// Tags that only the server sets.
    package static let ownTags: Set<String> = [spansLocation, "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure"]
}

/// One request through somebody's program, without its spans.
package struct TraceInfo: Sendable, Equatable {
    package var id: String
    package var experimentID: String
    package var requestTime: EventTime.Milliseconds
    /// Milliseconds; `nil` until the trace has ended.
    package var duration: Int64?
    package var state: TraceState
    package var clientRequestID: String?
    package var requestPreview: String?
    package var responsePreview: String?
    package var metadata: [KeyValue]
    package var tags: [KeyValue]
    package var assessments: [Assessment]

    package init(
        id: String, experimentID: String, requestTime: EventTime.Milliseconds, duration: Int64? = nil, state: TraceState,
        clientRequestID: String? = nil, requestPreview: String? = nil, responsePreview: String? = nil, metadata: [KeyValue] = [],
        tags: [KeyValue] = [], assessments: [Assessment] = []
    ) {
        self.id = id
        self.experimentID = experimentID
        self.requestTime = requestTime
        self.duration = duration
        self.state = state
        self.clientRequestID = clientRequestID
        self.requestPreview = requestPreview
        self.responsePreview = responsePreview
        self.metadata = metadata
        self.tags = tags
        self.assessments = assessments
    }

    package func tag(_ key: String) -> String? { tags.last { $0.key == key }?.value }
    package func metadata(_ key: String) -> String? { metadata.last { $0.key == key }?.value }

    package var hasStoredSpans: Bool { tag(TraceKey.spansLocation) == TraceKey.trackingStore }

    /// How many spans the client says there are.
    package var expectedSpans: Int {
        guard let text = metadata(TraceKey.sizeStats), let json = try? JSONReader.read(text.utf8) else { return 0 }
        return Int(clamping: json["num_spans"]?.int64 ?? 0)
    }
}

/// What a person, a program or a judge said about a trace or one of its spans.
package struct Assessment: Sendable, Equatable {
    package enum Kind: String, Sendable { case feedback, expectation, issue }

    package struct Failure: Sendable, Equatable {
        package var code: String
        package var message: String?
        package var stack: String?

        package init(code: String, message: String?, stack: String?) {
            self.code = code
            self.message = message
            self.stack = stack
        }
    }

    package var id: String
    package var traceID: String
    package var kind: Kind
    package var name: String
    package var value: JSONValue
    package var failure: Failure?
    package var sourceType: String
    package var sourceID: String?
    package var createTime: EventTime.Milliseconds
    package var lastUpdateTime: EventTime.Milliseconds
    package var spanID: String?
    package var rationale: String?
    package var metadata: [KeyValue]
    /// The id of the assessment that this one takes the place of.
    package var overrides: String?
    package var isValid: Bool

    package init(
        id: String, traceID: String, kind: Kind, name: String, value: JSONValue, failure: Failure? = nil, sourceType: String,
        sourceID: String? = nil, createTime: EventTime.Milliseconds, lastUpdateTime: EventTime.Milliseconds, spanID: String? = nil,
        rationale: String? = nil, metadata: [KeyValue] = [], overrides: String? = nil, isValid: Bool = true
    ) {
        self.id = id
        self.traceID = traceID
        self.kind = kind
        self.name = name
        self.value = value
        self.failure = failure
        self.sourceType = sourceType
        self.sourceID = sourceID
        self.createTime = createTime
        self.lastUpdateTime = lastUpdateTime
        self.spanID = spanID
        self.rationale = rationale
        self.metadata = metadata
        self.overrides = overrides
        self.isValid = isValid
    }

    package static let sourceTypes: Set<String> = ["HUMAN", "LLM_JUDGE", "CODE"]
    package static let unknownSource = "SOURCE_TYPE_UNSPECIFIED"
}
