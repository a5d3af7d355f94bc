/// Why a request is not answered with a prediction, in words for the person who sent it.
package struct ServeFailure: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        case invalid
        case notFound
        /// The model and the project do not mean the same by a column.
        case conflict
        case tooLarge
        case unimplemented
        /// Ask again after this many seconds.
        case unavailable(retryAfter: Int)
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
