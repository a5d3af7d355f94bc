import Crypto
package import Domain

/// Signs requests to Amazon S3 and what speaks its protocol.
///
/// Source: AWS General Reference, "Create a signed AWS API request" (Signature Version 4); of S3, that a path is encoded once
/// and not normalised.
package struct SigV4: Sendable {
    /// Who asks. No description shows the secret or the session.
    package struct Credentials: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
        let accessKey: String
        let secretKey: String
        /// Of credentials that end.
        let sessionToken: String?

        package init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
            self.accessKey = accessKey
            self.secretKey = secretKey
            self.sessionToken = sessionToken
        }

        package var description: String { "[redacted]" }
        package var debugDescription: String { "[redacted]" }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// What is signed.
    package struct Request: Sendable {
        let method: String
        /// Percent-encoded; begins with `/`.
        let path: String
        /// Percent-encoded and in the order of the names.
        let query: String
        /// Names in lower case, `host` among them.
        var headers: [(name: String, value: String)]
        let payload: [UInt8]

        package init(method: String, path: String, query: String, headers: [(name: String, value: String)], payload: [UInt8]) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.payload = payload
        }
    }

    let credentials: Credentials
    let region: String

    package init(credentials: Credentials, region: String) {
        self.credentials = credentials
        self.region = region
    }

    /// The headers to send: those of the request, the date, the payload's digest, and the signature over all of them.
    package func sign(_ request: Request, at time: EventTime.Milliseconds) -> [(name: String, value: String)] {
        let stamp = Self.stamp(time), digest = Self.hex(SHA256.hash(data: request.payload))
        var headers = request.headers + [("x-amz-content-sha256", digest), ("x-amz-date", stamp)]
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
        headers.sort { $0.name < $1.name }
        let names = headers.map(\.name).joined(separator: ";")
        let canonical = [
            request.method, request.path, request.query, headers.map { "\($0.name):\(Self.folded($0.value))\n" }.joined(), names, digest,
        ].joined(separator: "\n")
        let scope = "\(stamp.prefix(8))/\(region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(Self.hex(SHA256.hash(data: Array(canonical.utf8))))"
        var key = SymmetricKey(data: Array("AWS4\(credentials.secretKey)".utf8))
        for part in [String(stamp.prefix(8)), region, "s3", "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        let signature = Self.hex(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
        return headers + [("authorization", authorization)]
    }

    /// `20240229T235959Z`
    static func stamp(_ time: EventTime.Milliseconds) -> String {
        let seconds = time.flooredQuotient(by: 1_000), days = seconds.flooredQuotient(by: 86_400), rest = seconds - days * 86_400
        let date = EventTime.civil(fromDays: days)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(date.year)\(two(date.month))\(two(date.day))T\(two(rest / 3_600))\(two(rest / 60 % 60))\(two(rest % 60))Z"
    }

    /// Without blanks at the ends, and one where there were several.
    private static func folded(_ value: String) -> String { value.split(separator: " ").joined(separator: " ") }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
