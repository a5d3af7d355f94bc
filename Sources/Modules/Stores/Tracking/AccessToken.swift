package import Domain
package import GRDB

/// What a token may do; each role may do all that those before it may.
package enum AccessRole: String, Sendable, CaseIterable, Comparable {
    /// Read runs, models and files.
    case reader
    /// Also create experiments, log runs, store files, register versions.
    case trainer
    /// Also move aliases and stages, rename and delete models.
    case promoter
    /// Also delete experiments, and webhooks.
    case admin

    package static func < (a: AccessRole, b: AccessRole) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .reader: 0
        case .trainer: 1
        case .promoter: 2
        case .admin: 3
        }
    }
}

/// Which names a token reaches: all of them, or those that match one of some patterns (`crypto-*`).
package struct AccessScope: Sendable, Equatable {
    /// `nil` for all names.
    package let patterns: [String]?

    package static let all = AccessScope(patterns: nil)

    /// - Parameter patterns: None at all means all names.
    package init(patterns: [String]?) { self.patterns = patterns.flatMap { $0.isEmpty || $0.contains("*") ? nil : $0 } }

    package var isAll: Bool { patterns == nil }

    package func contains(_ name: String) -> Bool {
        guard let patterns else { return true }
        // Byte by byte, as ``condition(_:)`` compares.
        return patterns.contains {
            $0.hasSuffix("*") ? name.utf8.starts(with: $0.utf8.dropLast()) : name.utf8.elementsEqual($0.utf8)
        }
    }

    /// Holds for the rows whose name, in one of these columns, is reached: a search that leaves rows out only after it has
    /// cut its page would tell of them by the length of the page and by the token of the next.
    package func condition(_ columns: String...) -> (sql: String, arguments: StatementArguments) {
        guard let patterns else { return ("1", []) }
        var tests: [String] = []
        var arguments = StatementArguments()
        for column in columns {
            for pattern in patterns {
                guard pattern.hasSuffix("*") else {
                    tests.append("\(column) = ?")
                    arguments += [pattern]
                    continue
                }
                let prefix = String(pattern.dropLast())
                tests.append("substr(\(column), 1, ?) = ?")
                arguments += [prefix.unicodeScalars.count, prefix]
            }
        }
        return (tests.isEmpty ? "0" : "(" + tests.joined(separator: " OR ") + ")", arguments)
    }
}

/// A right to use the server, without the secret that proves it.
package struct AccessToken: Sendable, Equatable {
    /// Public: the part of the secret that finds the row.
    package let id: String
    /// Who uses it; the audit of promotions shows it.
    package let name: String
    package let role: AccessRole
    package let experiments: AccessScope
    package let models: AccessScope
    package let createdAt: EventTime.Milliseconds
    package let expiresAt: EventTime.Milliseconds?
    package let revokedAt: EventTime.Milliseconds?

    package func isValid(at now: EventTime.Milliseconds) -> Bool { revokedAt == nil && expiresAt.map { now < $0 } ?? true }
}

/// The text that proves a token: `mlops_ID_SECRET`, 32 random bytes. Only its SHA-256 is kept: for a text that cannot be
/// guessed, a slow hash adds nothing.
package enum TokenSecret {
    package static func make(using generator: inout some RandomNumberGenerator) -> (id: String, text: String) {
        let id = hex(6, &generator)
        return (id, "mlops_\(id)_\(hex(32, &generator))")
    }

    private static func hex(_ count: Int, _ generator: inout some RandomNumberGenerator) -> String {
        (0..<count).map { _ in
            let byte = UInt8.random(in: .min ... .max, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// - Returns: `nil` for text that is no token.
    static func id(of text: String) -> String? {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "mlops", parts[1].utf8.count == 12, parts[2].utf8.count == 64 else { return nil }
        return String(parts[1])
    }

    static func hash(_ text: String) -> String { ContentHash(of: text).hex }

    /// Takes as long for a difference in the first character as for one in the last.
    package static func isEqual(_ a: String, _ b: String) -> Bool {
        let a = Array(a.utf8), b = Array(b.utf8)
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }
}
