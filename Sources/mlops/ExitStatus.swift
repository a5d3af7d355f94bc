import ArgumentParser
import Columnar
import EventLog
import FeatureRole
import FeatureStore
import Features
import Foundation
import Learning
import Markets
import ObjectStore
import Tracking
import ProduceRole
import Settings
import Web
import WebSocket

/// What the process says to its caller when it ends: the one place where outcomes become numbers.
enum ExitStatus: Int32 {
    /// Done, or drained after a signal.
    case done = 0
    /// Failed; the last log line says how.
    case failed = 1
    /// Ran, and a gate said no.
    case refused = 2
    /// The input violates its schema.
    case badInput = 65
    /// A dependency stayed unreachable.
    case unreachable = 69
    /// Local input or output failed.
    case storageFailed = 74
    /// The settings or the project file are wrong.
    case badSettings = 78

    var code: ExitCode { ExitCode(rawValue) }
}

/// An error that already knows how the process ends.
struct Failure: Error, CustomStringConvertible {
    let status: ExitStatus
    let description: String

    init(_ status: ExitStatus, _ description: String) {
        self.status = status
        self.description = description
    }
}

extension ExitStatus {
    /// Runs a command's body; whatever it throws becomes one line on standard error and a status. The logs it has opened are closed.
    static func mapped(_ body: () async throws -> Void) async throws {
        try await OpenLogs.closing {
            do {
                try await body()
            } catch let code as ExitCode {
                throw code
            } catch let error as CleanExit {
                throw error
            } catch {
                for line in lines(error) { FileHandle.standardError.write(Data("mlops: \(line)\n".utf8)) }
                throw status(of: error).code
            }
        }
    }

    private static func lines(_ error: any Error) -> [String] {
        if let settings = error as? SettingsError { return settings.problems }
        return ["\(error)"]
    }

    private static func status(of error: any Error) -> ExitStatus {
        switch error {
        case let failure as Failure: failure.status
        case is SettingsError, is FeatureRole.TooManyReplicas, is EngineState.Error, is OfflineStore.Error,
            is EventHistory.Error, is Parity.Rebuilding, is PartitionsDiffer:
            .badSettings
        case is FileSource.Error, is TrainingRun.Error, is TrainingRows.Error, is PointInTimeJoin.Error: .badInput
        case let error as TrackingError: error.code == .invalidState ? .badSettings : error.isRetriable ? .storageFailed : .failed
        case is TLSFiles.Unusable: .badSettings
        case let error as TrackingFailure: error.cause.code == .unreachable || error.isRetriable ? .unreachable : .failed
        case let error as ColumnarError: error.code == .io ? .storageFailed : .badInput
        case let error as EventLogError: error.isOutage ? .unreachable : status(of: error.code)
        case let error as MarketBackfill.Failure: status(of: error.cause)
        case let error as MarketCapture.Failure: error.line == nil ? .storageFailed : .badInput
        case let error as WebSocketError: error.isRetriable ? .unreachable : .badSettings
        case is HistoryClient.BadTrust, is Retention.Refused, is Backfill.OtherShards: .badSettings
        case let error as ObjectStoreError: status(of: error.code)
        case is TrustedClients.Unusable: .badSettings
        case is HTTPHost.CannotListen: .storageFailed
        default: .failed
        }
    }

    private static func status(of code: ObjectStoreError.Code) -> ExitStatus {
        switch code {
        case .badSettings, .denied: .badSettings
        case .unavailable: .unreachable
        case .invalidPath, .notFound, .notAnObject, .conflict, .outOfRange, .corrupt, .io: .storageFailed
        }
    }

    private static func status(of cause: MarketBackfill.Failure.Cause) -> ExitStatus {
        switch cause {
        case .untold: .badSettings
        case .unanswered: .unreachable
        case .malformed: .badInput
        }
    }

    private static func status(of code: EventLogError.Code) -> ExitStatus {
        switch code {
        case .badURL, .topicMismatch, .otherSchema, .unusableDirectory, .badKafkaSetting, .positionBeyondEnd, .tooManyProcesses,
            .notCreated, .unknownTopic:
            .badSettings
        case .unreachable: .unreachable
        case .recordTooLarge: .badInput
        case .corrupt, .storage: .storageFailed
        case .fenced, .cluster: .failed
        }
    }
}
