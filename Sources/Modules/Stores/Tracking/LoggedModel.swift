package import Domain

package enum LoggedModelStatus: String, Sendable, CaseIterable {
    case pending = "LOGGED_MODEL_PENDING", ready = "LOGGED_MODEL_READY", failed = "LOGGED_MODEL_UPLOAD_FAILED"

    package init?(number: Int64) {
        switch number {
        case 1: self = .pending
        case 2: self = .ready
        case 3: self = .failed
        default: return nil
        }
    }
}

/// A model that a run wrote, before or without being registered.
package struct LoggedModel: Sendable, Equatable {
    /// `m-` and 32 hexadecimal digits.
    package let id: String
    package let experimentID: String
    package let name: String
    package let type: String
    package let sourceRun: String
    package let status: LoggedModelStatus
    package let artifactURI: String
    package let creationTime: EventTime.Milliseconds
    package let lastUpdateTime: EventTime.Milliseconds
    package let params: [KeyValue]
    package let tags: [KeyValue]
    package let metrics: [(metric: Metric, run: String)]

    package static func == (a: LoggedModel, b: LoggedModel) -> Bool {
        a.id == b.id && a.status == b.status && a.lastUpdateTime == b.lastUpdateTime && a.params == b.params && a.tags == b.tags
            && a.metrics.map(\.metric) == b.metrics.map(\.metric)
    }
}
