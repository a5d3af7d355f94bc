/// Keeps secrets out of logs and printed settings.
package enum Redaction {
    package static let mark = "[redacted]"

    /// Whether the value of a key must not be shown: `MLOPS_S3_SECRET_KEY`, `authToken`, `api-key`, ….
    ///
    /// It errs on the side of hiding: a key that merely contains a telling word counts.
    package static func isSecret(_ key: String) -> Bool {
        let folded = String(decoding: key.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }, as: UTF8.self)
        return words.contains { folded.contains($0) }
    }

    private static let words = [
        "secret", "password", "passwd", "passphrase", "token", "authorization", "cookie", "credential", "apikey", "accesskey",
        "privatekey", "signature",
    ]

    /// `text` with the user and password of every `scheme://user:password@host` in it replaced.
    package static func withoutUserInfo(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "@")) else { return text }
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let start = firstSchemeEnd(rest) {
            result.append(contentsOf: rest[..<start])
            rest = rest[start...]
            let authority = rest.prefix { $0 > 0x20 && !authorityEnds.contains($0) }
            if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
                result.append(contentsOf: mark.utf8)
                rest = rest[at...]
            }
        }
        result.append(contentsOf: rest)
        return String(decoding: result, as: UTF8.self)
    }

    private static let authorityEnds = Set("/?#\"'<>".utf8)

    /// The index after the next `://`.
    private static func firstSchemeEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        bytes.indices.first { bytes[$0...].starts(with: "://".utf8) }.map { $0 + 3 }
    }
}
