package import Domain
import Expressions
import Foundation
package import Project
package import YAML

/// Finds and reads the project file.
package enum ProjectFile {
    /// The file's name inside a project's folder.
    package static let name = "mlops.yaml"

    /// - Parameters:
    ///   - path: A folder that holds ``name``, or the file itself.
    ///   - topicPrefix: Overrides `settings.topic_prefix` of the file.
    ///   - isOptional: Whether a folder without the file, or a file without streams and tables, will do: for the tracking server, which
    ///     people run who have nothing else of ours.
    /// - Throws: Everything that is wrong with the file, its `settings:` included.
    package static func load(
        path: String, topicPrefix: String? = nil, isOptional: Bool = false
    ) throws(SettingsError) -> ProjectDefinition {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw SettingsError(["--project \(path): there is no such file or folder"])
        }
        let file = isDirectory.boolValue ? (path.hasSuffix("/") ? path : path + "/") + name : path
        let isMissing = isDirectory.boolValue && !FileManager.default.fileExists(atPath: file)
        if isMissing, !isOptional { throw SettingsError(["--project \(path): the folder holds no \(name)"]) }
        let node = isMissing ? Self.nothing : try read(file), folder = directory(of: file)
        let files = ProjectDefinition.filesNamed(in: node).map { ($0, text(of: $0, in: folder)) }
        let project: ProjectDefinition
        do throws(ProjectErrors) {
            project = try ProjectDefinition(
                validating: node, file: file, directory: folder, topicPrefix: topicPrefix,
                files: Dictionary(files, uniquingKeysWith: { $1 }), needsInput: !isOptional)
        } catch {
            throw SettingsError(error.errors.map(\.description))
        }
        let problems = SettingsCatalogue.problems(in: project)
        if !problems.isEmpty { throw SettingsError(problems) }
        return project
    }

    /// The project of who has none.
    private static let nothing: SourceNode = {
        let position = SourceNode.Position(line: 1, column: 1)
        let name = SourceNode(.scalar("tracking", isQuoted: true), at: position)
        return SourceNode(.map([.init(key: "project", keyPosition: position, value: name)]), at: position)
    }()

    /// A file that the project file names.
    private static func text(of path: String, in folder: String) -> NamedFile {
        let place = path.hasPrefix("/") ? path : "\(folder)/\(path)"
        guard let size = (try? FileManager.default.attributesOfItem(atPath: place))?[.size] as? NSNumber else {
            return .unreadable(reason: "there is no such file")
        }
        guard size.intValue <= Vocabulary.maxBytes else {
            return .unreadable(reason: "it has \(size.intValue) bytes, more than the \(Vocabulary.maxBytes) allowed")
        }
        guard let data = FileManager.default.contents(atPath: place) else { return .unreadable(reason: "it cannot be opened") }
        guard let text = String(validating: data, as: UTF8.self) else { return .unreadable(reason: "it is not UTF-8 text") }
        return .text(text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text)
    }

    private static func read(_ file: String) throws(SettingsError) -> SourceNode {
        do throws(YAMLError) {
            guard let data = FileManager.default.contents(atPath: file) else { return try YAMLReader.read(path: file) }
            return try parse(Array(data), file: file)
        } catch {
            throw SettingsError([error.description])
        }
    }

    /// Reads the bytes of a project file. A comma between the parentheses of a call does not end a value, also in `{…}` and
    /// `[…]`: `{eta: log(0.01, 0.5)}` has one entry.
    package static func parse(_ bytes: [UInt8], file: String) throws(YAMLError) -> SourceNode {
        let node: SourceNode
        do throws(YAMLError) {
            node = try YAMLReader.parse(CallCommas.hidden(in: bytes), file: file)
        } catch {
            throw YAMLError(error.code, file: error.file, at: error.position, CallCommas.restored(error.reason))
        }
        return CallCommas.restored(node)
    }

    private static func directory(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }
}
