/// Puts frames together to messages and says what each frame asks of the client: the receiving half of the protocol,
/// without the connection.
///
/// Source: I. Fette and A. Melnikov, RFC 6455, "The WebSocket Protocol", sections 5.4 to 5.5 and 7.
struct MessageAssembly {
    enum Kind: Equatable { case text, binary, continuation, ping, pong, close }

    enum Step: Equatable {
        /// A whole message.
        case message([UInt8])
        /// A pong with these bytes is due.
        case answer([UInt8])
        /// The server closes: with this code, 1005 for none, and this reason.
        case closed(code: UInt16, reason: String)
        /// Nothing to do.
        case none
    }

    enum Violation: Error, Equatable {
        case tooLong
        case broken(String)
    }

    /// Bytes of a message.
    let limit: Int
    private var fragments: [UInt8]?
    private var pieces = 0

    /// Pieces of one message: a frame costs more than its bytes.
    static let maxPieces = 4_096

    init(limit: Int) { self.limit = limit }

    mutating func take(_ kind: Kind, isFinal: Bool, _ bytes: [UInt8]) throws(Violation) -> Step {
        switch kind {
        case .ping, .pong, .close:
            guard isFinal, bytes.count <= 125 else { throw .broken("a control frame in pieces or of more than 125 bytes") }
            return kind == .ping ? .answer(bytes) : kind == .pong ? .none : try Self.closing(bytes)
        case .text, .binary:
            guard fragments == nil else { throw .broken("a new message before the last one ended") }
            guard bytes.count <= limit else { throw .tooLong }
            if isFinal { return .message(bytes) }
            fragments = bytes
            pieces = 1
            return .none
        case .continuation:
            guard let begun = fragments?.count else { throw .broken("a continuation of nothing") }
            guard begun + bytes.count <= limit else { throw .tooLong }
            pieces += 1
            guard pieces <= Self.maxPieces else { throw .broken("a message in more than \(Self.maxPieces) pieces") }
            // In place: each piece is copied once, however many there are.
            fragments?.append(contentsOf: bytes)
            guard isFinal, let whole = fragments else { return .none }
            fragments = nil
            return .message(whole)
        }
    }

    private static func closing(_ bytes: [UInt8]) throws(Violation) -> Step {
        if bytes.isEmpty { return .closed(code: 1_005, reason: "") }
        guard bytes.count >= 2 else { throw .broken("a closing frame of one byte") }
        return .closed(code: UInt16(bytes[0]) << 8 | UInt16(bytes[1]), reason: String(decoding: bytes.dropFirst(2), as: UTF8.self))
    }
}

/// When to ask a silent server whether it is there, and when to give it up. Times are of a monotonic clock, nanoseconds.
struct Liveness {
    enum Verdict: Equatable {
        case wait(until: Int64)
        case ask(next: Int64)
        case dead
    }

    let patience: Int64
    private var heard: Int64
    private var hasAsked = false
    /// While nobody takes what comes, silence says nothing about the server.
    private var isListening = true

    /// - Parameter patience: Silence after which the server counts as gone; it is asked after half of it.
    init(patience: Int64, now: Int64) {
        self.patience = patience
        heard = now
    }

    mutating func hear(now: Int64) {
        heard = now
        hasAsked = false
    }

    mutating func listen(_ listens: Bool, now: Int64) {
        if listens, !isListening { hear(now: now) }
        isListening = listens
    }

    mutating func check(now: Int64) -> Verdict {
        guard isListening else { return .wait(until: now + patience / 2) }
        if now - heard >= patience { return .dead }
        if now - heard >= patience / 2, !hasAsked {
            hasAsked = true
            return .ask(next: heard + patience)
        }
        return .wait(until: heard + (hasAsked ? patience : patience / 2))
    }
}
