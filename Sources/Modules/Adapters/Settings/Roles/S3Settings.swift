/// How to reach buckets; what is not set is what Amazon's own tools read from the environment. Credentials come from there alone.
package struct S3Settings: Sendable {
    package let endpoint: String?
    package let region: String?
    package let isPathStyle: Bool?
    /// A PEM file.
    package let authority: String?

    init(reader: SettingsReader) {
        endpoint = reader.read(Self.endpoint)
        region = reader.read(Self.region)
        isPathStyle = reader.read(Self.pathStyle)
        authority = reader.read(Self.authority)
    }

    static let endpoint = OptionalSetting(
        "s3.endpoint", .httpURL, "The server that speaks S3's protocol; if not set, AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else Amazon's."
    )
    static let region = OptionalSetting(
        "s3.region", .text("a region"), "The region of the bucket; if not set, AWS_REGION or AWS_DEFAULT_REGION, else us-east-1.")
    static let pathStyle = OptionalSetting(
        "s3.path_style", .flag, "Whether the bucket stands in the path of URLs; if not set, with an endpoint it does.")
    static let authority = OptionalSetting(
        "s3.ca", .path, "A PEM file: the authority that signed the endpoint's certificate; if not set, AWS_CA_BUNDLE.")

    static let catalogue: [SettingInfo] = [
        SettingInfo(endpoint), SettingInfo(region), SettingInfo(pathStyle), SettingInfo(authority),
    ]
}
