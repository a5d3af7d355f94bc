import Domain
import Foundation
package import Project
import YAML

/// Finds and reads the project file.
package enum ProjectFile {
    /// The file's name inside a project's folder.
    package static let name = "mlops.yaml"

    /// - Parameters:
    ///   - path: A folder that holds ``name``, or the file itself.
    ///   - topicPrefix: Overrides `settings.topic_prefix` of the file.
    /// - Throws: Everything that is wrong with the file, its `settings:` included.
    package static func load(path: String, topicPrefix: String? = nil) throws(SettingsError) -> ProjectDefinition {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw SettingsError(["--project \(path): there is no such file or folder"])
        }
        let file = isDirectory.boolValue ? (path.hasSuffix("/") ? path : path + "/") + name : path
        if isDirectory.boolValue, !FileManager.default.fileExists(atPath: file) {
            throw SettingsError(["--project \(path): the folder holds no \(name)"])
        }
        let node = try read(file)
        let project: ProjectDefinition
        do throws(ProjectErrors) {
            project = try ProjectDefinition(
                validating: node, file: file, directory: directory(of: file), topicPrefix: topicPrefix)
        } catch {
            throw SettingsError(error.errors.map(\.description))
        }
        let problems = SettingsCatalogue.problems(in: project)
        if !problems.isEmpty { throw SettingsError(problems) }
        return project
    }

    private static func read(_ file: String) throws(SettingsError) -> SourceNode {
        do throws(YAMLError) { return try YAMLReader.read(path: file) } catch { throw SettingsError([error.description]) }
    }

    private static func directory(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }
}
