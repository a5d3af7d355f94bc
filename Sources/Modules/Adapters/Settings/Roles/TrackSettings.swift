/// What the role `track` needs to know.
package struct TrackSettings: Sendable {
    package let port: Port

    package init(reader: SettingsReader) throws(SettingsError) {
        port = reader.read(Self.port)
        try reader.finish()
    }

    static let port = Setting("track.port", .port, default: .known(5_000), "The tracking API and pages; 0 lets the system choose.")

    static let catalogue = [SettingInfo(port)]
}
