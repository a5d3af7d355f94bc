import Logging
import Synchronization
import Testing

@testable import Telemetry

@Suite struct LineLogHandlerTests {
    /// Collects the lines that a logger writes at a fixed time.
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])

        func logger(_ style: LineLogHandler.Style, role: String = "features") -> Logger {
            let sink = LogSink { line in self.all.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
            return Logger(label: role) { role in
                LineLogHandler(role: role, level: .info, style: style, sink: sink, now: { 1_700_000_000_123 })
            }
        }

        var text: String { all.withLock { $0.joined() } }
    }

    @Test func `a JSON line holds time, level, role, message and metadata in key order`() {
        let lines = Lines()
        lines.logger(.json).info(
            "window closed", metadata: ["rows": .stringConvertible(3), "key": "BTC/USD", "late": .stringConvertible(0.5)])
        #expect(
            lines.text
                == #"{"time":"2023-11-14T22:13:20.123Z","level":"info","role":"features","message":"window closed","metadata":{"key":"BTC/USD","late":0.5,"rows":3}}"#
                + "\n")
    }

    @Test func `a text line names level and role, then the facts`() {
        let lines = Lines()
        lines.logger(.text).warning("late record", metadata: ["by": "3 s", "key": "BTC"])
        #expect(lines.text == "2023-11-14T22:13:20.123Z warning  features  late record  by=\"3 s\" key=BTC\n")
    }

    @Test func `a level below the logger's writes nothing`() {
        let lines = Lines()
        lines.logger(.json).debug("detail")
        #expect(lines.text.isEmpty)
    }

    @Test(arguments: LineLogHandler.Style.allCases)
    func `a secret's value never reaches the line`(style: LineLogHandler.Style) {
        let lines = Lines()
        lines.logger(style).info(
            "connecting to kafka://user:hunter2@host:9092/x",
            metadata: [
                "sasl_password": "hunter2", "apiKey": "hunter2", "url": "https://a:hunter2@b/c",
                "nested": ["auth-token": "hunter2", "plain": "seen"],
            ])
        #expect(!lines.text.contains("hunter2"))
        #expect(lines.text.contains("seen"))
        #expect(lines.text.contains("@host:9092/x"))
    }

    @Test(arguments: LineLogHandler.Style.allCases)
    func `a line feed in a stranger's text does not start a line`(style: LineLogHandler.Style) {
        let lines = Lines()
        lines.logger(style).info("a\nlevel=error forged", metadata: ["k": "x\ny"])
        #expect(lines.text.split(separator: "\n").count == 1)
    }

    @Test(arguments: [
        ("MLOPS_S3_SECRET_KEY", true), ("authToken", true), ("api-key", true), ("key", false), ("path", false), ("topic", false),
    ])
    func `a key is secret when it contains a telling word`(key: String, isSecret: Bool) {
        #expect(Redaction.isSecret(key) == isSecret)
    }

    @Test(arguments: [
        ("no address", "no address"), ("a@b", "a@b"), ("http://h/x@y", "http://h/x@y"),
        ("s3://k:v@h and t://u@i", "s3://[redacted]@h and t://[redacted]@i"),
        ("http://a@b@c/", "http://[redacted]@c/"),
    ])
    func `only the user part of an address is hidden`(text: String, shown: String) {
        #expect(Redaction.withoutUserInfo(text) == shown)
    }
}
