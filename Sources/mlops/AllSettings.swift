import Project
import Settings

/// The settings of all roles of one process.
struct AllSettings: Sendable {
    let produce: ProduceSettings
    let features: FeaturesSettings
    let train: TrainSettings
    let serve: ServeSettings
    let monitor: MonitorSettings
    let track: TrackSettings

    init(reader: SettingsReader, project: ProjectDefinition) throws(SettingsError) {
        produce = try ProduceSettings(reader: reader, project: project)
        features = try FeaturesSettings(reader: reader)
        train = try TrainSettings(reader: reader)
        serve = try ServeSettings(reader: reader)
        monitor = try MonitorSettings(reader: reader)
        track = try TrackSettings(reader: reader)
    }
}
