package import Domain

/// Why a YAML file cannot be used, and where in it.
package struct YAMLError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The file cannot be opened or read.
        case unreadable
        /// Not YAML.
        case syntax
        case duplicateKey
        /// YAML that has no place in a configuration file: several documents, keys that are not text, foreign tags.
        case unsupported
        /// Larger, deeper or more often expanded than any configuration needs to be.
        case tooLarge
    }

    package let code: Code
    package let file: String
    /// `nil` when the whole file is the trouble.
    package let position: SourceNode.Position?
    package let reason: String

    package init(_ code: Code, file: String, at position: SourceNode.Position?, _ reason: String) {
        self.code = code
        self.file = file
        self.position = position
        self.reason = reason
    }

    package var isRetriable: Bool { false }

    /// `mlops.yaml:3:5: …`
    package var description: String { file + (position.map { ":\($0.line):\($0.column)" } ?? "") + ": " + reason }
}
