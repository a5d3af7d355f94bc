package import Domain

/// How to reach a bucket.
package struct S3Options: Sendable {
    /// `http://` or `https://`, without a slash at the end; `nil` for Amazon's of the region.
    package let endpoint: String?
    package let region: String
    /// The bucket stands in the path (`https://host/bucket/key`) instead of the host name (`https://bucket.host/key`).
    package let isPathStyle: Bool
    /// PEM file of the authorities to trust instead of the system's.
    package let authority: String?
    let credentials: SigV4.Credentials?
    /// Of one object; it decides how large the parts of an upload are.
    package var maxObjectBytes: Int64 = 64 << 30
    let now: @Sendable () -> EventTime.Milliseconds

    /// Settings first, then the variables that Amazon's own tools read: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`,
    /// `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_CA_BUNDLE`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    /// - Parameters:
    ///   - isPathStyle: `nil` for path style with an endpoint of its own, and host names with Amazon's.
    ///   - now: Wall time; a signature holds for some minutes.
    package init(
        endpoint: String? = nil, region: String? = nil, isPathStyle: Bool? = nil, authority: String? = nil,
        environment: [String: String], now: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        func variable(_ names: String...) -> String? { names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } }
        var endpoint = endpoint ?? variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        while endpoint?.last == "/" { endpoint?.removeLast() }
        self.endpoint = endpoint
        self.region = region ?? variable("AWS_REGION", "AWS_DEFAULT_REGION") ?? "us-east-1"
        self.isPathStyle = isPathStyle ?? (endpoint != nil)
        self.authority = authority ?? variable("AWS_CA_BUNDLE")
        credentials = variable("AWS_ACCESS_KEY_ID").flatMap { accessKey in
            variable("AWS_SECRET_ACCESS_KEY").map {
                SigV4.Credentials(accessKey: accessKey, secretKey: $0, sessionToken: variable("AWS_SESSION_TOKEN"))
            }
        }
        self.now = now
    }

    /// What comes before the key in a bucket's URLs.
    /// - Returns: Scheme and authority, and a path without a slash at its end.
    func base(bucket: String) throws(ObjectStoreError) -> (origin: String, host: String, path: String) {
        let amazon = "https://s3.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
        let url = endpoint ?? amazon
        guard let scheme = ["http://", "https://"].first(where: url.hasPrefix) else {
            throw ObjectStoreError(
                .badSettings, "open", path: "s3://\(bucket)", "the endpoint \"\(url)\" begins with neither http:// nor https://")
        }
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }, path = String(rest.dropFirst(authority.count))
        guard !authority.isEmpty, !rest.contains(where: { "?#@ ".contains($0) }) else {
            throw ObjectStoreError(
                .badSettings, "open", path: "s3://\(bucket)", "the endpoint \"\(scheme)…\" names no host, or more than a host")
        }
        // A certificate for *.s3.… does not cover a bucket with dots.
        guard isPathStyle || bucket.contains(".") else {
            return (scheme + bucket + "." + authority, "\(bucket).\(authority)", path)
        }
        return (scheme + authority, String(authority), "\(path)/\(bucket)")
    }

    /// Equal parts, so that stores which ask for that take them too; the last may be smaller.
    /// Source: Amazon S3 User Guide, "multipart upload limits": 5 MiB to 5 GiB, and 10,000 of them.
    var partBytes: Int { Int(max(8 << 20, (maxObjectBytes + 9_999) / 10_000)) }
}
