package import Domain

/// A key with its text: a parameter, a tag.
package struct KeyValue: Sendable, Hashable {
    package let key: String
    package let value: String

    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

package enum LifecycleStage: String, Sendable { case active, deleted }

/// Which stages a search looks at; raw values are the protocol's names.
package enum ViewType: String, Sendable, CaseIterable { case activeOnly = "ACTIVE_ONLY", deletedOnly = "DELETED_ONLY", all = "ALL" }

package struct Experiment: Sendable, Equatable {
    /// Decimal; `0` is the experiment that always exists.
    package let id: String
    package let name: String
    package let artifactLocation: String
    package let stage: LifecycleStage
    package let creationTime: EventTime.Milliseconds
    package let lastUpdateTime: EventTime.Milliseconds
    /// Sorted by key.
    package let tags: [KeyValue]
}

package enum RunStatus: String, Sendable, CaseIterable {
    case running = "RUNNING", scheduled = "SCHEDULED", finished = "FINISHED", failed = "FAILED", killed = "KILLED"

    /// As old clients send it: the number in the protocol's enumeration.
    package init?(number: Int64) {
        switch number {
        case 1: self = .running
        case 2: self = .scheduled
        case 3: self = .finished
        case 4: self = .failed
        case 5: self = .killed
        default: return nil
        }
    }
}

/// One observation of a metric.
package struct Metric: Sendable, Equatable {
    package let key: String
    /// May be NaN; the infinities are stored as the greatest finite values.
    package let value: Double
    /// Milliseconds since the Unix epoch; at least 0.
    package let timestamp: EventTime.Milliseconds
    /// May be negative.
    package let step: Int64
    /// The logged model it measures, when it measures one.
    package let modelID: String?
    /// The dataset it was measured on.
    package let dataset: (name: String, digest: String)?

    package init(
        _ key: String, _ value: Double, timestamp: EventTime.Milliseconds, step: Int64 = 0, modelID: String? = nil,
        dataset: (name: String, digest: String)? = nil
    ) {
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.step = step
        self.modelID = modelID
        self.dataset = dataset
    }

    package static func == (a: Metric, b: Metric) -> Bool {
        a.key == b.key && (a.value == b.value || a.value.isNaN && b.value.isNaN) && a.timestamp == b.timestamp && a.step == b.step
            && a.modelID == b.modelID && a.dataset?.name == b.dataset?.name && a.dataset?.digest == b.dataset?.digest
    }

    /// The value as a column holds it: NaN apart, infinities clamped.
    var stored: (value: Double, isNaN: Bool) {
        value.isNaN ? (0, true) : (min(max(value, -.greatestFiniteMagnitude), .greatestFiniteMagnitude), false)
    }
}

package struct RunInfo: Sendable, Equatable {
    /// 32 hexadecimal digits when this server made it.
    package let id: String
    package let name: String
    package let experimentID: String
    package let user: String
    package let status: RunStatus
    package let startTime: EventTime.Milliseconds
    package let endTime: EventTime.Milliseconds?
    package let artifactURI: String
    package let stage: LifecycleStage

    package init(
        id: String, name: String, experimentID: String, user: String, status: RunStatus, startTime: EventTime.Milliseconds,
        endTime: EventTime.Milliseconds?, artifactURI: String, stage: LifecycleStage
    ) {
        self.id = id
        self.name = name
        self.experimentID = experimentID
        self.user = user
        self.status = status
        self.startTime = startTime
        self.endTime = endTime
        self.artifactURI = artifactURI
        self.stage = stage
    }
}

package struct Run: Sendable, Equatable {
    package let info: RunInfo
    /// The latest observation of each metric, sorted by key.
    package var metrics: [Metric] = []
    /// Sorted by key, as are the tags.
    package var params: [KeyValue] = []
    package var tags: [KeyValue] = []
    package var datasets: [DatasetInput] = []
    /// Ids of the logged models the run read.
    package var modelInputs: [String] = []
    package var modelOutputs: [ModelOutput] = []

    package init(info: RunInfo) { self.info = info }
}

/// Data that a run read.
package struct DatasetInput: Sendable, Hashable {
    package let name: String
    package let digest: String
    package let sourceType: String
    package let source: String
    package let schema: String?
    package let profile: String?
    package let tags: [KeyValue]

    package init(
        name: String, digest: String, sourceType: String, source: String, schema: String?, profile: String?, tags: [KeyValue]
    ) {
        self.name = name
        self.digest = digest
        self.sourceType = sourceType
        self.source = source
        self.schema = schema
        self.profile = profile
        self.tags = tags
    }
}

/// A logged model that a run made.
package struct ModelOutput: Sendable, Hashable {
    package let modelID: String
    package let step: Int64

    package init(modelID: String, step: Int64) {
        self.modelID = modelID
        self.step = step
    }
}

/// One page of a search.
package struct Paged<Element: Sendable>: Sendable {
    package let elements: [Element]
    /// `nil` on the last page.
    package let nextPageToken: String?

    package init(elements: [Element], nextPageToken: String?) {
        self.elements = elements
        self.nextPageToken = nextPageToken
    }
}
