import ArgumentParser

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
