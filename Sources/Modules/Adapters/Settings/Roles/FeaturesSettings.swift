package import Domain

/// What the role `features` needs to know.
package struct FeaturesSettings: Sendable {
    /// Records of one atomic unit.
    package let batchRecords: Int
    /// How often finished rows move to the archive.
    package let archiveInterval: EventTime.Milliseconds
    /// Whether accepted events move to the archive as well: needed where the log drops old ones.
    package let archiveEvents: Bool
    package let port: Port
    /// Processes of the role that are meant to share the streams.
    package let replicas: Int

    package init(reader: SettingsReader) throws(SettingsError) {
        batchRecords = reader.read(Self.batchRecords)
        archiveInterval = reader.read(Self.archiveInterval)
        archiveEvents = reader.read(Self.archiveEvents)
        port = reader.read(Self.port)
        replicas = reader.read(Self.replicas)
        try reader.finish()
    }

    static let batchRecords = Setting(
        "features.batch_records", .count(1...1_000_000), default: 10_000, "Records that are processed and committed as one.")
    static let archiveInterval = Setting(
        "features.archive_interval", .duration(100...86_400_000), default: 30_000, "How often finished rows move to the archive.")

    static let replicas = Setting(
        "features.replicas", .count(1...10_000), default: 1, "Processes that share the streams; no more than these have partitions.")

    static let archiveEvents = Setting(
        "features.archive_events", .flag, default: false,
        "Move accepted events to the archive too, so that features can be computed again when the log has dropped them.")
    static let port = Setting("features.port", .port, default: .known(6_566), "Features over HTTP; 0 lets the system choose.")

    static let catalogue = [
        SettingInfo(batchRecords), SettingInfo(archiveInterval), SettingInfo(archiveEvents), SettingInfo(replicas), SettingInfo(port),
    ]
}
