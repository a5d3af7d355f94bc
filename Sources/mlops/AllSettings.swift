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

    /// - Throws: What is wrong with the settings of any role, all at once.
    init(reader: SettingsReader, project: ProjectDefinition) throws {
        let produce = Result { try ProduceSettings(reader: reader, project: project) }
        let features = Result { try FeaturesSettings(reader: reader) }
        let train = Result { try TrainSettings(reader: reader) }
        let serve = Result { try ServeSettings(reader: reader) }
        let monitor = Result { try MonitorSettings(reader: reader) }
        let track = Result { try TrackSettings(reader: reader) }
        try reader.finish()
        self.produce = try produce.get()
        self.features = try features.get()
        self.train = try train.get()
        self.serve = try serve.get()
        self.monitor = try monitor.get()
        self.track = try track.get()
    }
}
