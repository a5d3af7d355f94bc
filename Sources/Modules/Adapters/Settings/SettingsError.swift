/// Everything that is wrong with the project file, the environment and the flags, found at once: exit status 78.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
    /// One sentence each, with the place first; never empty, never holding a secret.
    package let problems: [String]

    package init(_ problems: [String]) { self.problems = problems }

    /// One line per problem.
    package var description: String { problems.joined(separator: "\n") }
}
