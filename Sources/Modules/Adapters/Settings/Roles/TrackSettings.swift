/// Who may use the tracking server.
package enum TrackAccessSetting: String, Sendable, CaseIterable {
    /// Everybody on a loopback address, those with a token on any other.
    case auto
    case tokens
    case open
}

/// What the role `track` needs to know.
package struct TrackSettings: Sendable {
    package let port: Port
    package let access: TrackAccessSetting
    /// Names that an open server may be asked under, besides those of private networks.
    package let allowedHosts: [String]
    /// Both or neither.
    package let tls: (certificate: String, key: String)?
    /// Of one artefact, in bytes.
    package let maxUploadBytes: Int
    package let allowsPrivateWebhooks: Bool

    package init(reader: SettingsReader) throws(SettingsError) {
        port = reader.read(Self.port)
        access = reader.read(Self.access)
        allowedHosts = reader.read(Self.allowedHosts)
        maxUploadBytes = reader.read(Self.maxUploadMegabytes) << 20
        allowsPrivateWebhooks = reader.read(Self.privateWebhooks)
        let certificate = reader.read(Self.certificate), key = reader.read(Self.key)
        if (certificate == nil) != (key == nil) {
            reader.refuse(certificate == nil ? "track.tls_key" : "track.tls_certificate", "certificate and key belong together")
        }
        tls = certificate.flatMap { certificate in key.map { (certificate, $0) } }
        try reader.finish()
    }

    static let port = Setting("track.port", .port, default: .known(5_000), "The tracking API and pages; 0 lets the system choose.")
    static let access = Setting(
        "track.access", .choice, default: TrackAccessSetting.auto,
        "Who may use the server: auto asks for tokens unless it listens on a loopback address.")
    static let allowedHosts = Setting(
        "track.allowed_hosts", .names, default: [],
        "Host names under which a server without tokens answers, besides addresses and private names; *.example.com for all below, * for any."
    )
    static let maxUploadMegabytes = Setting(
        "track.max_upload_mb", .count(1...1_000_000), default: 10_240, "The largest artifact that is taken, in MiB.")
    static let privateWebhooks = Setting(
        "track.private_webhooks", .flag, default: false, "Call webhooks in private networks and without TLS.")
    static let certificate = OptionalSetting("track.tls_certificate", .path, "The certificate of an HTTPS server, a PEM file.")
    static let key = OptionalSetting("track.tls_key", .path, "The key of the certificate, a PEM file.")

    static let catalogue = [
        SettingInfo(port), SettingInfo(access), SettingInfo(allowedHosts), SettingInfo(maxUploadMegabytes), SettingInfo(privateWebhooks),
        SettingInfo(certificate),
        SettingInfo(key),
    ]
}
