/// The spelling rules of the Prometheus text format.
///
/// Source: "Exposition formats", text format 0.0.4, and "Metric and label naming", <https://prometheus.io/docs/>.
enum MetricNames {
    /// A legal metric name: other characters become `_`, a leading digit gets one in front.
    static func metric(_ label: String) -> String { legal(label, allowsColon: true) }

    /// A legal label name; the names that the format reserves get `exported_` in front.
    static func label(_ name: String) -> String {
        let legal = legal(name, allowsColon: false)
        return legal == "le" || legal == "quantile" || legal.hasPrefix("__") ? "exported_" + legal : legal
    }

    private static func legal(_ text: String, allowsColon: Bool) -> String {
        var bytes: [UInt8] = text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            case UInt8(ascii: ":") where allowsColon: byte
            default: UInt8(ascii: "_")
            }
        }
        if bytes.first.map({ (48...57).contains($0) }) ?? true { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Backslash, quote and line feed escaped, as a label value wants it.
    static func escapedValue(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return text }
        return text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// Backslash and line feed escaped, as a HELP line wants it.
    static func escapedHelp(_ text: String) -> String { text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n") }

    /// A sample value: integers without a point, `+Inf`, `-Inf`, `NaN`.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 0x1p53 ? String(Int64(value)) : value.description
    }
}
