import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A server of one answer per connection, on a free port of this machine, for as long as the value lives.
final class StubServer: Sendable {
    struct Request: Sendable {
        let path: String
        let authorization: String?
        let body: String
    }

    typealias Answer = (status: Int, body: String)

    let port: UInt16
    private let descriptor: Int32
    private let taken = Mutex<[Request]>([])

    var url: String { "http://127.0.0.1:\(port)" }
    /// What was asked so far, in order.
    var requests: [Request] { taken.withLock { $0 } }

    init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = descriptor
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Bool in
                bind(socket, address, length) == 0 && listen(socket, 64) == 0 && getsockname(socket, address, &length) == 0
            }
        }
        guard port else { throw CocoaError(.fileWriteUnknown) }
        self.port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [weak self] in
            while case let connection = accept(socket, nil, nil), connection >= 0 {
                if let request = Self.read(connection) {
                    self?.taken.withLock { $0.append(request) }
                    Self.write(answer(request), to: connection)
                }
                close(connection)
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    private static func read(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
                func header(_ name: String) -> String? {
                    lines.first { $0.lowercased().hasPrefix(name + ":") }.map {
                        $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
                    }
                }
                let length = header("content-length").flatMap { Int($0) } ?? 0
                if text[end.upperBound...].utf8.count >= length {
                    let words = lines[0].split(separator: " ")
                    return Request(
                        path: words.count > 1 ? String(words[1]) : "", authorization: header("authorization"),
                        body: String(text[end.upperBound...]))
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
        }
    }

    private static func write(_ answer: Answer, to connection: Int32) {
        let head = "HTTP/1.1 \(answer.status) X\r\ncontent-length: \(answer.body.utf8.count)\r\nconnection: close\r\n\r\n"
        let bytes = Array((head + answer.body).utf8)
        _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
}
