import ArgumentParser
import Project
import Settings

/// Validates a project and says what it means.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Validate a project and print the resolved plan.")

    @Option(help: "The folder that holds mlops.yaml, or the file itself.")
    var project = "."

    func run() async throws {
        try await ExitStatus.mapped { print(ProjectPlan.text(try ProjectFile.load(path: project)), terminator: "") }
    }
}
