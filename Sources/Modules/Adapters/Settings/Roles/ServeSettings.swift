package import Domain

/// What the role `serve` needs to know.
package struct ServeSettings: Sendable {
    package let port: Port
    /// How often the registry is asked whether an alias has moved, should its announcement be missed.
    package let poll: EventTime.Milliseconds

    package init(reader: SettingsReader) throws(SettingsError) {
        port = reader.read(Self.port)
        poll = reader.read(Self.poll)
        try reader.finish()
    }

    static let port = Setting("serve.port", .port, default: .known(8_501), "Predictions over HTTP; 0 lets the system choose.")
    static let poll = Setting(
        "serve.poll", .duration(100...3_600_000), default: 2_000, "How often to look whether another version is to be served.")

    static let catalogue = [SettingInfo(port), SettingInfo(poll)]
}
