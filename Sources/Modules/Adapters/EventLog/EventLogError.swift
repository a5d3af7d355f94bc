package import Domain
import GRDB

/// What went wrong with the log, in which operation, and whether trying again can help.
package struct EventLogError: Error, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The URL is not one this build speaks.
        case badURL(String)
        /// The directory cannot be used: a network file system, not a directory, not writable.
        case unusableDirectory(String)
        case unknownTopic(String)
        /// The topic exists with another number of partitions or another clean-up policy.
        case topicMismatch(topic: String, found: String, wanted: String)
        /// Another process has taken the partition over; nothing of the unit was written.
        case fenced(group: String, topic: String, partition: Int)
        /// A record of the log does not decode: the file is damaged.
        case corrupt(topic: String, partition: Int, offset: Int64)
        /// Another version of this program wrote the log.
        case otherSchema(found: Int, known: Int)
        /// Topics are missing and the cluster did not create them; names with their partitions.
        case notCreated(topics: [String])
        /// The cluster refuses a record for its size.
        case recordTooLarge(topic: String, key: String, bytes: Int)
        /// A position that a group remembers lies beyond the end of its partition.
        case positionBeyondEnd(topic: String, partition: Int, position: Int64, end: Int64)
        /// A group has more members than there are partitions to share.
        case tooManyProcesses(group: String, topic: String, processes: Int, partitions: Int)
        /// No broker has answered within the patience of the settings.
        case unreachable(brokers: String, seconds: Int)
        /// The Kafka library refuses one of the settings; the text is its own.
        case badKafkaSetting(String)
        /// The Kafka cluster refused or did not answer; the cause says how.
        case cluster
        case storage
    }

    package let code: Code
    package let operation: String
    package let isRetriable: Bool
    package let cause: (any Error)?
    /// Of an append: the records that were not written, for all others were; `nil` when nothing is known to have been written.
    package var unwritten: [Domain.Record]?

    package init(_ code: Code, during operation: String, isRetriable: Bool = false, cause: (any Error)? = nil) {
        self.code = code
        self.operation = operation
        self.isRetriable = isRetriable
        self.cause = cause
    }

    /// Whether a cluster did not answer, or not for now: it may do so later.
    package var isOutage: Bool {
        guard isRetriable else { return false }
        switch code {
        case .cluster, .unreachable, .notCreated: return true
        default: return false
        }
    }

    /// Wraps whatever a database closure threw.
    init(_ error: any Error, during operation: String) {
        if let known = error as? EventLogError {
            self = known
        } else if let database = error as? DatabaseError {
            let retriable = [.SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_FULL, .SQLITE_IOERR].contains(database.resultCode)
            self.init(.storage, during: operation, isRetriable: retriable, cause: database)
        } else {
            self.init(.storage, during: operation, cause: error)
        }
    }

    package var description: String {
        let what =
            switch code {
            case .badURL(let url): "\"\(url)\" is not a log URL; write local:DIRECTORY or kafka://HOST:PORT[,HOST:PORT]"
            case .unusableDirectory(let why): why
            case .unknownTopic(let name): "topic \"\(name)\" does not exist"
            case .topicMismatch(let topic, let found, let wanted): "topic \"\(topic)\" has \(found), but the project wants \(wanted)"
            case .fenced(let group, let topic, let partition):
                "another process took over partition \(partition) of \(topic) for \(group); this one stops"
            case .corrupt(let topic, let partition, let offset):
                "the record at \(topic)/\(partition)/\(offset) is damaged; restore the directory from a backup"
            case .otherSchema(let found, let known):
                "the log has schema \(found), this program knows \(known); use the version of the program that wrote it"
            case .notCreated(let topics):
                "\(topics.count) topic\(topics.count == 1 ? " is" : "s are") missing and could not be created: "
                    + (cause.map { "\($0)" } ?? "no reason was given") + "; create \(topics.joined(separator: ", "))"
            case .recordTooLarge(let topic, let key, let bytes):
                "the record with key \"\(key)\" has \(bytes) bytes, more than \(topic) takes; raise max.message.bytes of the topic or send less"
            case .positionBeyondEnd(let topic, let partition, let position, let end):
                "\(topic)/\(partition) ends at \(end), but offset \(position) was read before: the topic was made anew; delete the changelogs too"
            case .tooManyProcesses(let group, let topic, let processes, let partitions):
                "\(topic) has \(partitions) partitions, but \(group) has \(processes) processes: this one would have nothing to do; run fewer"
            case .unreachable(let brokers, let seconds):
                "no broker of \(brokers) has answered within \(seconds) s; check event_log.url and the kafka settings"
            case .badKafkaSetting(let reason): "the Kafka library refuses a setting: \(reason)"
            case .cluster, .storage: cause.map { String(describing: $0) } ?? "the storage failed"
            }
        return "event log: \(operation): \(what)"
    }
}
