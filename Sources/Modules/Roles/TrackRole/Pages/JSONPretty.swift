import Web

/// JSON as a person reads it: two blanks a level, short lists on one line.
enum JSONPretty {
    private static let maxLine = 96, maxDepth = 200

    /// - Parameter indent: `false` for one line; text at the top then stands without quotes.
    static func text(_ value: JSONValue, indent: Bool = true) -> String {
        if !indent, let text = value.string { return text }
        var result = ""
        if indent { append(value, 0, to: &result) } else { result = line(value) }
        return result
    }

    private static func line(_ value: JSONValue) -> String {
        var writer = JSONWriter()
        writer.value(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func append(_ value: JSONValue, _ depth: Int, to text: inout String) {
        let pad = String(repeating: "  ", count: depth + 1), end = "\n" + String(repeating: "  ", count: depth)
        guard depth < maxDepth else {
            text += line(value)
            return
        }
        switch value {
        case .array(let values) where !values.isEmpty:
            if values.allSatisfy({ $0.array == nil && $0.members == nil }) {
                let short = line(value)
                if short.utf8.count <= maxLine {
                    text += short
                    return
                }
            }
            text += "["
            for (index, value) in values.enumerated() {
                text += (index > 0 ? ",\n" : "\n") + pad
                append(value, depth + 1, to: &text)
            }
            text += end + "]"
        case .object(let members) where !members.isEmpty:
            text += "{"
            for (index, member) in members.enumerated() {
                text += (index > 0 ? ",\n" : "\n") + pad + line(.string(member.key)) + ": "
                append(member.value, depth + 1, to: &text)
            }
            text += end + "}"
        default: text += line(value)
        }
    }
}
