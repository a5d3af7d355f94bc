import Domain
import Project
import Testing

@testable import Settings

struct SettingsTests {
    private func reader(
        flags: [SettingsFlag] = [], environment: [String: String] = [:], file: String = ""
    ) throws -> SettingsReader {
        let text = ProjectText.replacing([("settings: {topic_prefix: \"\", serve: {port: 8601}}", file)])
        return SettingsReader(flags: flags, environment: environment, project: try ProjectText.project(text))
    }

    private static let portInFile = "settings: {serve: {port: 8601}}"

    @Test func `a default stands where nobody says anything`() throws {
        #expect(try ServeSettings(reader: try reader()).port.number == 8_501)
    }

    @Test func `the project file is stronger than the default`() throws {
        #expect(try ServeSettings(reader: try reader(file: Self.portInFile)).port.number == 8_601)
    }

    @Test func `the environment is stronger than the project file`() throws {
        let reader = try reader(environment: ["MLOPS_SERVE_PORT": "8701"], file: Self.portInFile)
        #expect(try ServeSettings(reader: reader).port.number == 8_701)
    }

    @Test func `a flag is stronger than the environment`() throws {
        let reader = try reader(
            flags: [SettingsFlag("serve.port", name: "--port", "0")], environment: ["MLOPS_SERVE_PORT": "8701"], file: Self.portInFile)
        #expect(try ServeSettings(reader: reader).port.number == 0)
    }

    @Test(arguments: ["65536", "-1", "", "8501 ", "+1", "80.0", "eighty"])
    func `a malformed port names the environment variable it came from`(text: String) throws {
        let reader = try reader(environment: ["MLOPS_SERVE_PORT": text], file: Self.portInFile)
        #expect(throws: SettingsError(["environment MLOPS_SERVE_PORT: \"\(text)\" is not a port from 0 to 65535"])) {
            try ServeSettings(reader: reader)
        }
    }

    @Test func `a malformed value names its flag`() throws {
        let reader = try reader(flags: [SettingsFlag("serve.port", name: "--port", "http")])
        #expect(throws: SettingsError(["flag --port: \"http\" is not a port from 0 to 65535"])) { try ServeSettings(reader: reader) }
    }

    @Test func `a malformed value names its place in the project file`() throws {
        let reader = try reader(file: "settings:\n  serve:\n    port: 99999\n")
        #expect(throws: SettingsError(["mlops.yaml:52:11: settings.serve.port: \"99999\" is not a port from 0 to 65535"])) {
            try ServeSettings(reader: reader)
        }
    }

    @Test func `all malformed values of a role are told at once`() throws {
        let reader = try reader(environment: ["MLOPS_SERVE_PORT": "a", "MLOPS_SERVE_POLL": "1"])
        #expect(
            throws: SettingsError([
                "environment MLOPS_SERVE_PORT: \"a\" is not a port from 0 to 65535",
                "environment MLOPS_SERVE_POLL: \"1\" is not a duration from 100ms to 1h, such as 500ms, 60s, 10m, 1h or 1d",
            ])
        ) { try ServeSettings(reader: reader) }
    }

    @Test func `the log lies in the project's folder unless told otherwise`() throws {
        #expect(try CommonSettings(reader: try reader(), role: .serve).logURL == "local:/project/.mlops")
    }

    @Test func `a relative log directory starts at the project file when the file says it and at the process otherwise`() throws {
        let file = try reader(file: "settings: {event_log: {url: \"local:data/log\"}}")
        #expect(try CommonSettings(reader: file, role: .serve).logURL == "local:/project/data/log")
        let environment = try reader(environment: ["MLOPS_EVENT_LOG_URL": "local:data/log"])
        let settings = try CommonSettings(reader: environment, role: .serve)
        #expect(settings.logURL == "local:data/log")
        #expect(settings.dataDirectory == "data/log")
    }

    @Test func `every role has an admin port of its own`() throws {
        let ports = try Role.allCases.map { try CommonSettings(reader: try reader(), role: $0).adminPort.number }
        #expect(ports == [9_100, 9_101, 9_102, 9_103, 9_104, 9_105, 9_106])
    }

    @Test func `a source that the project does not have is refused with the nearest name`() throws {
        let project = try ProjectText.project(ProjectText.lines)
        let reader = SettingsReader(
            flags: [SettingsFlag("produce.sources", name: "--source", "recoded")], environment: [:], project: project)
        #expect(throws: SettingsError(["flag --source: there is no source \"recoded\"; did you mean \"recorded\"?"])) {
            try ProduceSettings(reader: reader, project: project)
        }
    }

    @Test(arguments: [("max", Speed.unlimited), ("60x", .times(60)), ("0.5x", .times(0.5))])
    func `a speed is max or a factor`(text: String, speed: Speed) throws {
        let project = try ProjectText.project(ProjectText.lines)
        let reader = SettingsReader(flags: [SettingsFlag("produce.speed", name: "--speed", text)], environment: [:], project: project)
        #expect(try ProduceSettings(reader: reader, project: project).speed == speed)
        #expect(SettingForm<Speed>.speed.write(speed) == text)
    }

    @Test(arguments: ["0x", "-1x", "fast", "60", "infx", "nanx", ""])
    func `anything else is no speed`(text: String) {
        #expect(SettingForm<Speed>.speed.parse(text) == nil)
    }

    @Test func `training's own budget stands unless a setting overrides it`() throws {
        let plain = try TrainSettings(reader: try reader())
        #expect(plain.trials == nil && plain.seconds == nil && plain.seed == nil && plain.refusal == .fail)
        let settings = try TrainSettings(
            reader: try reader(flags: [SettingsFlag("train.trials", name: "--trials", "4")], environment: ["MLOPS_TRAIN_REFUSAL": "ok"]))
        #expect(settings.trials == 4)
        #expect(settings.refusal == .ok)
    }

    @Test func `the merged settings show each value with where it came from`() throws {
        let reader = try reader(
            flags: [SettingsFlag("log.level", name: "--log-level", "debug")], environment: ["MLOPS_HOST": "0.0.0.0"], file: Self.portInFile)
        _ = try CommonSettings(reader: reader, role: .serve)
        _ = try ServeSettings(reader: reader)
        #expect(
            reader.text == """
                event_log.url         local:/project/.mlops         (default)
                event_log.durability  process                       (default)
                log.level             debug                         (flag --log-level)
                log.format            text                          (default)
                host                  0.0.0.0                       (environment MLOPS_HOST)
                serve.admin_port      9104                          (default)
                track.url                                           (not set)
                track.token                                         (not set)
                track.token_file                                    (not set)
                track.ca                                            (not set)
                track.artifacts                                     (not set)
                objects.url           file:/project/.mlops/objects  (default)
                s3.endpoint                                         (not set)
                s3.region                                           (not set)
                s3.path_style                                       (not set)
                s3.ca                                               (not set)
                serve.port            8601                          (mlops.yaml:50:26: settings.serve.port)
                serve.poll            2s                            (default)

                """)
    }

    @Test func `a store is a directory or a bucket, and a directory of the file starts at its folder`() throws {
        func common(_ environment: [String: String], file: String = "") throws -> CommonSettings {
            try CommonSettings(reader: try reader(environment: environment, file: file), role: .track)
        }
        let plain = try common([:])
        #expect(plain.objectsURL == "file:/project/.mlops/objects" && plain.artifactsURL == nil)
        let told = try common(["MLOPS_OBJECTS_URL": "s3://bucket/a", "MLOPS_TRACK_ARTIFACTS": "some/where", "MLOPS_S3_PATH_STYLE": "true"])
        #expect(told.objectsURL == "s3://bucket/a" && told.artifactsURL == "file:some/where" && told.s3.isPathStyle == true)
        for wrong in ["", "http://a", "gs://a"] {
            #expect(throws: SettingsError.self) { try common(["MLOPS_OBJECTS_URL": wrong]) }
        }
    }

    @Test func `a secret never shows`() throws {
        let reader = try reader(environment: ["MLOPS_TRACK_TOKEN": "hunter2"])
        let settings = try CommonSettings(reader: reader, role: .train)
        #expect(settings.trackToken?.revealed == "hunter2")
        #expect(!reader.text.contains("hunter2"))
        #expect(reader.text.contains("[redacted]"))
        #expect(!String(describing: settings).contains("hunter2"))
        #expect(!String(reflecting: settings.trackToken).contains("hunter2"))
        var dumped = ""
        dump(settings, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }
}

struct FileSettingsTests {
    private func problems(_ settings: String) throws -> [String] {
        let text = ProjectText.replacing([("settings: {topic_prefix: \"\", serve: {port: 8601}}", settings)])
        return SettingsCatalogue.problems(in: try ProjectText.project(text))
    }

    @Test func `an unknown setting in the file is an error with the nearest spelling`() throws {
        #expect(
            try problems("settings: {serve: {prot: 1}}") == [
                "mlops.yaml:50:26: settings.serve.prot: there is no such setting; did you mean \"serve.port\"?"
            ])
    }

    @Test func `a malformed setting of any role is an error whoever reads the file`() throws {
        #expect(
            try problems("settings: {log: {level: loud}}") == [
                "mlops.yaml:50:25: settings.log.level: \"loud\" is not one of trace, debug, info, notice, warning, error, critical"
            ])
    }

    @Test func `a secret does not belong into the file, and is not repeated`() throws {
        #expect(
            try problems("settings: {track: {token: hunter2}}") == [
                "mlops.yaml:50:27: settings.track.token: a secret does not belong into a file; set MLOPS_TRACK_TOKEN"
            ])
    }

    @Test func `every setting has a key, a variable and a default that reads back`() {
        let keys = SettingsCatalogue.all.map(\.key)
        #expect(Set(keys).count == keys.count)
        for info in SettingsCatalogue.all {
            #expect(info.environmentVariable.hasPrefix("MLOPS_") && !info.environmentVariable.contains("."))
            if let fallback = info.fallback { #expect(info.accepts(fallback), "\(info.key) \(fallback)") }
        }
    }

    @Test func `a variable that is nearly a setting is pointed out, and one that is not is left alone`() {
        let environment = [
            "MLOPS_SERV_PORT": "1", "MLOPS_SERVE_PORT": "2", "MLOPS_TRACK_SERVICE_HOST_IP": "10.0.0.1", "MLOPS_BINARY": "3", "PATH": "/bin",
            "MLOPS_LOG_LEVL": "4",
        ]
        #expect(
            SettingsCatalogue.strays(in: environment) == [
                "MLOPS_LOG_LEVL is not read; did you mean MLOPS_LOG_LEVEL?", "MLOPS_SERV_PORT is not read; did you mean MLOPS_SERVE_PORT?",
            ])
    }
}
