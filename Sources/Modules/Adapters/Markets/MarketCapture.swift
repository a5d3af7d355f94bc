package import Domain
import Foundation
import Web

/// One thing that came over the network, in the order of its coming.
package enum CaptureEvent: Sendable, Equatable {
    /// A connection was made.
    case opened
    case message([UInt8])
    /// A connection ended.
    case closed
    case history(request: String, answer: [UInt8])
    /// The exchange would not answer.
    case historyFailed(request: String)
}

/// A file of what came over the network: JSON Lines, `{"at_ms":…,"kind":…}`.
package enum MarketCapture {
    /// Bytes after which a recording ends; the source goes on.
    package static let limit = 1 << 30

    package struct Failure: Error, CustomStringConvertible {
        package let path: String
        package let line: Int?
        package let reason: String
        package var description: String { "capture \(path)" + (line.map { ":\($0)" } ?? "") + ": \(reason)" }
    }

    static func line(_ event: CaptureEvent, at time: EventTime.Milliseconds) -> [UInt8] {
        var fields: [(name: String, value: Value)] = [("at_ms", .int(time))]
        switch event {
        case .opened: fields.append(("kind", .string("opened")))
        case .closed: fields.append(("kind", .string("closed")))
        case .message(let bytes): fields += [("kind", .string("message")), body(bytes)]
        case .history(let request, let answer): fields += [("kind", .string("history")), ("request", .string(request)), body(answer)]
        case .historyFailed(let request): fields += [("kind", .string("history_failed")), ("request", .string(request))]
        }
        return JSONText.object(fields) + [UInt8(ascii: "\n")]
    }

    /// What is not text is kept in base 64.
    private static func body(_ bytes: [UInt8]) -> (name: String, value: Value) {
        if let text = String(validating: bytes, as: UTF8.self) { return ("text", .string(text)) }
        return ("base64", .string(Data(bytes).base64EncodedString()))
    }

    static func event(_ line: some Sequence<UInt8>) -> CaptureEvent? {
        guard let json = try? JSONReader.read(line) else { return nil }
        let body = json["text"]?.string.map { Array($0.utf8) } ?? json["base64"]?.string.flatMap { Data(base64Encoded: $0) }.map(Array.init)
        switch json["kind"]?.string {
        case "opened": return .opened
        case "closed": return .closed
        case "message": return body.map { .message($0) }
        case "history":
            guard let request = json["request"]?.string, let body else { return nil }
            return .history(request: request, answer: body)
        case "history_failed": return json["request"]?.string.map { .historyFailed(request: $0) }
        default: return nil
        }
    }
}

/// Writes a capture.
package final class CaptureWriter {
    private let path: String
    private let handle: FileHandle
    private var written = 0

    /// Begins a new file.
    package init(path: String) throws(MarketCapture.Failure) {
        guard FileManager.default.createFile(atPath: path, contents: nil), let handle = FileHandle(forWritingAtPath: path) else {
            throw MarketCapture.Failure(path: path, line: nil, reason: "the file cannot be written")
        }
        self.path = path
        self.handle = handle
    }

    /// - Returns: Whether there is room for more.
    package func append(_ event: CaptureEvent, at time: EventTime.Milliseconds) throws(MarketCapture.Failure) -> Bool {
        let line = MarketCapture.line(event, at: time)
        guard written + line.count <= MarketCapture.limit else { return false }
        do { try handle.write(contentsOf: Data(line)) } catch {
            throw MarketCapture.Failure(path: path, line: nil, reason: "\(error)")
        }
        written += line.count
        return true
    }
}

/// Reads a capture, a line at a time.
package struct CaptureReader {
    private let path: String
    private let next: () throws -> [UInt8]?
    private var line = 0

    /// - Parameter lines: The file's lines, one at each call.
    package init(path: String, lines: @escaping () throws -> [UInt8]?) {
        self.path = path
        next = lines
    }

    /// - Throws: ``MarketCapture/Failure`` for a line that is not part of a capture.
    package mutating func read() throws -> CaptureEvent? {
        guard let bytes = try next() else { return nil }
        line += 1
        guard let event = MarketCapture.event(bytes) else {
            throw MarketCapture.Failure(path: path, line: line, reason: "this is not a line of a capture")
        }
        return event
    }

    /// The answer to a request, which must be the next line.
    package mutating func answer(to request: HistoryRequest) throws -> [UInt8]? {
        switch try read() {
        case .history(request.text, let answer)?: return answer
        case .historyFailed(request.text)?: return nil
        default:
            throw MarketCapture.Failure(
                path: path, line: line, reason: "expected the answer to \(request.text): the capture is from another place of the source")
        }
    }
}
