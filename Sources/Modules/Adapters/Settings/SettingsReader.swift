import Configuration
import Domain
package import Project

/// A value given on the command line.
package struct SettingsFlag: Sendable {
    /// The setting: `serve.port`.
    package let key: String
    /// The option as the person wrote it, for messages: `--port`.
    package let name: String
    package let value: String

    package init(_ key: String, name: String, _ value: String) {
        self.key = key
        self.name = name
        self.value = value
    }
}

/// Reads settings from flags, environment, project file and defaults, in this order, and remembers where each came from.
///
/// The layers are the providers of swift-configuration, asked one by one for text. Its `ConfigReader` is left out: it does
/// not hand back which layer answered, its errors cannot be caught by type, and its converting readers fall back to the
/// default when a value is malformed. Here a value that was given and does not parse is always a problem, and all problems
/// are collected until ``finish()``.
package final class SettingsReader {
    private enum Layer { case flags, environment, file, defaults }

    /// Where relative paths of the project file start.
    package let directory: String
    private let flagNames: [String: String]
    private let filePlaces: [String: String]
    private let layers: [(layer: Layer, provider: any ConfigProvider)]
    private var problems: [String] = []
    private var lines: [(key: String, value: String, source: String)] = []

    /// - Parameters:
    ///   - flags: Only the options that were given: an option with a default of its own would hide the other layers.
    ///   - environment: The process's variables; those that begin with `MLOPS_` count.
    package init(flags: [SettingsFlag], environment: [String: String], project: ProjectDefinition) {
        directory = project.directory
        flagNames = Dictionary(flags.map { ($0.key, $0.name) }, uniquingKeysWith: { $1 })
        filePlaces = project.settingPlaces
        func provider(_ name: String, _ values: some Sequence<(String, String)>) -> InMemoryProvider {
            let values = values.map { (AbsoluteConfigKey(Self.components($0)), ConfigValue(.string($1), isSecret: false)) }
            return InMemoryProvider(name: name, values: Dictionary(values, uniquingKeysWith: { $1 }))
        }
        layers = [
            (.flags, provider("flags", flags.map { ($0.key, $0.value) })),
            (.environment, EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "mlops")),
            (.file, provider("file", project.settings.map { ($0, $1) })),
            (.defaults, provider("defaults", SettingsCatalogue.all.compactMap { info in info.fallback.map { (info.key, $0) } })),
        ]
    }

    private static func components(_ key: String) -> [String] { key.split(separator: ".").map(String.init) }

    package func read<Value>(_ setting: Setting<Value>) -> Value {
        guard let given = lookUp(setting.key), given.layer != .defaults else {
            lines.append((setting.key, setting.form.write(setting.fallback), "default"))
            return setting.fallback
        }
        return parse(given, setting.key, setting.form, isSecret: false) ?? setting.fallback
    }

    package func read<Value>(_ setting: OptionalSetting<Value>) -> Value? {
        guard let given = lookUp(setting.key) else {
            lines.append((setting.key, "", "not set"))
            return nil
        }
        return parse(given, setting.key, setting.form, isSecret: setting.isSecret)
    }

    /// Whether the project file, rather than a flag or the environment, says what the setting is.
    func isFromFile(_ key: String) -> Bool { lookUp(key)?.layer == .file }

    /// Adds a problem that a single value cannot tell, such as two that do not go together.
    package func refuse(_ key: String, _ reason: String) {
        let place = lookUp(key).map { source($0, key) } ?? key
        problems.append("\(place): \(reason)")
    }

    /// - Throws: Everything that was wrong with what has been read so far.
    package func finish() throws(SettingsError) {
        if !problems.isEmpty { throw SettingsError(problems) }
    }

    /// What has been read and where from, one setting per line: what `--check-config` prints.
    package var text: String {
        let width = lines.map(\.key.count).max() ?? 0, valueWidth = min(40, lines.map(\.value.count).max() ?? 0)
        var seen: Set<String> = []
        return lines.filter { seen.insert($0.key).inserted }.map { line in
            let key = line.key + String(repeating: " ", count: width - line.key.count)
            let value = line.value + String(repeating: " ", count: max(0, valueWidth - line.value.count))
            return "\(key)  \(value)  (\(line.source))\n"
        }.joined()
    }

    private typealias Given = (layer: Layer, text: String, encodedKey: String)

    private func lookUp(_ key: String) -> Given? {
        let absolute = AbsoluteConfigKey(Self.components(key))
        for (layer, provider) in layers {
            // Asked for text, a provider of text has no conversion that could fail.
            guard let found = try? provider.value(forKey: absolute, type: .string), case .string(let text) = found.value?.content
            else { continue }
            return (layer, text, found.encodedKey)
        }
        return nil
    }

    private func parse<Value>(_ given: Given, _ key: String, _ form: SettingForm<Value>, isSecret: Bool) -> Value? {
        let source = source(given, key)
        guard let value = form.parse(given.text) else {
            let shown = isSecret ? "the value" : "\"\(given.text)\""
            problems.append("\(source): \(shown) is not \(form.expected)")
            return nil
        }
        lines.append((key, form.write(value), source))
        return value
    }

    private func source(_ given: Given, _ key: String) -> String {
        switch given.layer {
        case .flags: "flag \(flagNames[key] ?? key)"
        case .environment: "environment \(given.encodedKey)"
        case .file: "\(filePlaces[key] ?? ProjectFile.name): settings.\(key)"
        case .defaults: "default"
        }
    }
}
