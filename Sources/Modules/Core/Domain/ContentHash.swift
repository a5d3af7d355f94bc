package import Crypto

/// SHA-256 of bytes, the name of everything that is addressed by content: artefacts, snapshots, definitions, inputs.
package struct ContentHash: Hashable, Sendable, CustomStringConvertible, Comparable {
    /// 64 lowercase hexadecimal digits.
    package let hex: String

    package init(of bytes: some Sequence<UInt8>) {
        var hasher = SHA256()
        hasher.update(data: Array(bytes))
        self.init(digest: hasher.finalize())
    }

    package init(of text: String) { self.init(of: text.utf8) }

    /// The digest of a hasher that was fed piecemeal.
    package init(digest: SHA256.Digest) {
        var characters: [UInt8] = []
        characters.reserveCapacity(64)
        for byte in digest {
            characters.append(JSONText.hexDigit(byte >> 4))
            characters.append(JSONText.hexDigit(byte & 15))
        }
        hex = String(decoding: characters, as: UTF8.self)
    }

    /// - Returns: `nil` unless `hex` is 64 lowercase hexadecimal digits.
    package init?(hex: String) {
        let digits = hex.utf8
        guard digits.count == 64, digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return nil }
        self.hex = hex
    }

    package var description: String { hex }
    package static func < (a: ContentHash, b: ContentHash) -> Bool { a.hex < b.hex }
}
