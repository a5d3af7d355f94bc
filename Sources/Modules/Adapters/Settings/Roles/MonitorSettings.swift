/// What the role `monitor` needs to know.
package struct MonitorSettings: Sendable {
    package let port: Port

    package init(reader: SettingsReader) throws(SettingsError) {
        port = reader.read(Self.port)
        try reader.finish()
    }

    static let port = Setting("monitor.port", .port, default: .known(8_502), "Reports over HTTP; 0 lets the system choose.")

    static let catalogue = [SettingInfo(port)]
}
