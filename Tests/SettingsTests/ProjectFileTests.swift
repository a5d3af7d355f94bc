import Foundation
import Project
import Testing

@testable import Settings

struct ProjectFileTests {
    /// A folder that is gone after the test.
    private func withFolder(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "project-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
        try body(folder.path)
    }

    @Test func `a project is named by its folder or by its file`() throws {
        try withFolder(["mlops.yaml": ProjectText.lines, "other.yaml": ProjectText.lines]) { folder in
            for path in [folder, folder + "/", folder + "/mlops.yaml", folder + "/other.yaml"] {
                let project = try ProjectFile.load(path: path)
                #expect(project.directory == folder)
            }
        }
    }

    @Test func `a prefix from outside is stronger than the file's`() throws {
        let text = ProjectText.replacing([("topic_prefix: \"\"", "topic_prefix: file.")])
        try withFolder(["mlops.yaml": text]) { folder in
            let plain = try ProjectFile.load(path: folder), overridden = try ProjectFile.load(path: folder, topicPrefix: "test.")
            #expect(plain.topicPrefix == "file.")
            #expect(overridden.topicPrefix == "test.")
            #expect(ProjectPlan.topics(overridden)[0].name == "test.trades")
        }
    }

    @Test func `files that the project names are read beside it`() throws {
        let text = ProjectText.lines + "vocabularies: {kind: {synonyms: kinds.csv}}\n"
        try withFolder(["mlops.yaml": text, "kinds.csv": "\u{FEFF}SHOE, boot\n"]) { folder in
            _ = try ProjectFile.load(path: folder)
            try Data([0xFF, 0xFE, 0x00]).write(to: URL(filePath: folder + "/kinds.csv"))
            let notText = #expect(throws: SettingsError.self) { try ProjectFile.load(path: folder) }
            #expect(notText?.problems.map { $0.hasSuffix("kinds.csv cannot be read: it is not UTF-8 text") } == [true])
            try FileManager.default.removeItem(atPath: folder + "/kinds.csv")
            let missing = #expect(throws: SettingsError.self) { try ProjectFile.load(path: folder) }
            #expect(missing?.problems.map { $0.hasSuffix("kinds.csv cannot be read: there is no such file") } == [true])
        }
    }

    @Test func `a tracking server needs no project and no streams, and still no mistakes`() throws {
        try withFolder([:]) { folder in
            let nothing = try ProjectFile.load(path: folder, isOptional: true)
            #expect(nothing.directory == folder && nothing.streams.isEmpty && nothing.topicPrefix.isEmpty)
            #expect(throws: SettingsError.self) { try ProjectFile.load(path: folder + "/x", isOptional: true) }
        }
        try withFolder(["mlops.yaml": "project: team\nsettings: {track: {port: 5001}}\n"]) { folder in
            let team = try ProjectFile.load(path: folder, isOptional: true)
            #expect(team.settings["track.port"] == "5001")
            #expect(throws: SettingsError.self) { try ProjectFile.load(path: folder) }
        }
        try withFolder(["mlops.yaml": "project: team\nsettings: {track: {prot: 5001}}\n"]) { folder in
            #expect(throws: SettingsError.self) { try ProjectFile.load(path: folder, isOptional: true) }
        }
    }

    @Test func `a folder without a project says so`() throws {
        try withFolder([:]) { folder in
            #expect(throws: SettingsError(["--project \(folder): the folder holds no mlops.yaml"])) { try ProjectFile.load(path: folder) }
            #expect(throws: SettingsError(["--project \(folder)/x: there is no such file or folder"])) {
                try ProjectFile.load(path: folder + "/x")
            }
        }
    }

    @Test func `text that is not YAML and a project that is not sound are told with file, line and column`() throws {
        try withFolder(["mlops.yaml": "project: [a", "broken.yaml": ProjectText.replacing([("metric: mae", "metric: mea")])]) { folder in
            let error = #expect(throws: SettingsError.self) { try ProjectFile.load(path: folder) }
            #expect(error?.problems.count == 1)
            #expect(error?.problems[0].hasPrefix("\(folder)/mlops.yaml:2:1: ") == true)
            #expect(throws: SettingsError(["\(folder)/broken.yaml:34:11: training.metric: unknown metric \"mea\"; did you mean \"mae\"?"]))
            {
                try ProjectFile.load(path: folder + "/broken.yaml")
            }
        }
    }

    @Test func `settings of the file are checked when it is loaded`() throws {
        try withFolder(["mlops.yaml": ProjectText.replacing([("port: 8601", "port: none")])]) { folder in
            #expect(
                throws: SettingsError(["\(folder)/mlops.yaml:50:44: settings.serve.port: \"none\" is not a port from 0 to 65535"])
            ) { try ProjectFile.load(path: folder) }
        }
    }
}
