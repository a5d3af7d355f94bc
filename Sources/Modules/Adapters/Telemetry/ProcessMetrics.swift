import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Facts about this process from `/proc`, under the names that Prometheus' own libraries use; a fact that cannot be read
/// is left out.
struct ProcessMetrics: Sendable {
    /// Seconds since the Unix epoch.
    private let startTime: Double?

    init() { startTime = Self.startTime() }

    func render() -> String {
        var text = ""
        func add(_ name: String, _ kind: String, _ help: String, _ value: Double?) {
            guard let value else { return }
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n\(name) \(MetricNames.number(value))\n"
        }
        let ticks = Self.stat(field: 14).flatMap { user in Self.stat(field: 15).map { user + $0 } }
        add("process_cpu_seconds_total", "counter", "User and system CPU time spent in seconds.", ticks.map { $0 / Self.ticksPerSecond })
        add("process_open_fds", "gauge", "Open file descriptors.", Self.openFiles())
        add("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", Self.residentBytes())
        add("process_start_time_seconds", "gauge", "Start time of the process since the Unix epoch in seconds.", startTime)
        return text
    }

    private static let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))

    private static func residentBytes() -> Double? {
        guard let text = read("/proc/self/statm"), let pages = text.split(separator: " ").dropFirst().first.flatMap({ Double($0) }) else {
            return nil
        }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func openFiles() -> Double? {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")).map { Double($0.count) }
    }

    /// A field of `/proc/self/stat`, counted from 1 as proc(5) does. The second, the program's name, may hold blanks.
    private static func stat(field: Int) -> Double? {
        guard let text = read("/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > field - 3 ? Double(fields[field - 3]) : nil
    }

    private static func startTime() -> Double? {
        guard let ticks = stat(field: 22), let boot = read("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let seconds = Double(boot.dropFirst(6))
        else { return nil }
        return seconds + ticks / ticksPerSecond
    }

    /// `/proc` files have no size, so they are read until they end.
    static func read(_ path: String) -> String? {
        guard let handle = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? handle.close() }
        return (try? handle.readToEnd()).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }
}
