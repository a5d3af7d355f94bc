import Domain
package import Project

/// All settings there are.
package enum SettingsCatalogue {
    package static let all: [SettingInfo] =
        CommonSettings.catalogue + ProduceSettings.catalogue + FeaturesSettings.catalogue + TrainSettings.catalogue
        + ServeSettings.catalogue + MonitorSettings.catalogue + TrackSettings.catalogue

    /// What is wrong with the `settings:` of a project file, whatever role will read it: unknown keys, malformed values,
    /// secrets that do not belong into a file that is shared.
    package static func problems(in project: ProjectDefinition) -> [String] {
        let known = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
        return project.settings.sorted { $0.key < $1.key }.compactMap { key, text in
            let place = "\(project.settingPlaces[key] ?? ProjectFile.name): settings.\(key)"
            guard let info = known[key] else {
                return "\(place): there is no such setting" + SpellingSuggestion.hint(for: key, among: all.map(\.key))
            }
            if info.isSecret { return "\(place): a secret does not belong into a file; set \(info.environmentVariable)" }
            return info.accepts(text) ? nil : "\(place): \"\(text)\" is not \(info.expected)"
        }
    }

    /// Variables that look like settings and are none, with the nearest that is one. Not an error: a cluster puts variables
    /// of its own into the environment.
    package static func strays(in environment: [String: String]) -> [String] {
        let prefix = "MLOPS_", own = all.map(\.environmentVariable) + ["MLOPS_TOPIC_PREFIX"]
        let known = own.map { String($0.dropFirst(prefix.count)) }
        return environment.keys.filter { $0.hasPrefix(prefix) && !own.contains($0) }.sorted().compactMap { name in
            // What all share says nothing about how near two are.
            SpellingSuggestion.nearest(to: String(name.dropFirst(prefix.count)), among: known)
                .map { "\(name) is not read; did you mean \(prefix)\($0)?" }
        }
    }
}
