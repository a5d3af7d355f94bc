package import Domain

/// One thing that is wrong with a project file, and where.
package struct ProjectError: Error, Hashable, CustomStringConvertible {
    package let file: String
    package let position: SourceNode.Position
    /// The place by its keys, what is wrong, and what would be right.
    package let message: String

    package init(file: String, position: SourceNode.Position, message: String) {
        self.file = file
        self.position = position
        self.message = message
    }

    /// `mlops.yaml:12:5: streams.trades.key: …`
    package var description: String { "\(file):\(position.line):\(position.column): \(message)" }
}

/// Everything that is wrong with a project file.
package struct ProjectErrors: Error, Equatable, CustomStringConvertible {
    /// By position; never empty.
    package let errors: [ProjectError]

    package init(_ errors: [ProjectError]) {
        let ordered = errors.enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
        var seen: Set<ProjectError> = []
        self.errors = ordered.map(\.element).filter { seen.insert($0).inserted }
    }

    /// One line an error.
    package var description: String { errors.map(\.description).joined(separator: "\n") }
}
