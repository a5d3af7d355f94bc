import CXGBoost

/// What the boosting library refused, or was not asked because the request made no sense.
package struct BoostingError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Matrix, labels or parameters do not fit together.
        case invalidInput
        /// XGBoost returned an error; the message is its own.
        case library
    }

    package let code: Code
    /// What was being done, in words.
    package let operation: String
    package let message: String

    package init(_ code: Code, _ operation: String, _ message: String) {
        self.code = code
        self.operation = operation
        self.message = message
    }

    package var isRetriable: Bool { false }
    package var description: String { "cannot \(operation): \(message)" }

    /// Throws when `status`, what an XGBoost call just returned, is not zero. The library keeps its last error per
    /// thread, so it is read here and now.
    static func check(_ status: Int32, _ operation: String) throws(BoostingError) {
        guard status != 0 else { return }
        let text = XGBGetLastError().map { String(cString: $0) } ?? "unknown error"
        // A stack trace follows the message.
        let message = text.split(separator: "\n").first { !$0.isEmpty }.map { String($0) } ?? text
        throw BoostingError(.library, operation, message)
    }
}
