import Web

/// The short text by which a list shows what a trace was asked and what it answered.
enum TracePreview {
    static let maxLength = 1_000

    /// - Parameters:
    ///   - json: The inputs or outputs of the root span.
    ///   - role: Whose message is shown when the value is a conversation: `user`, `assistant`.
    static func text(_ json: String, role: String) -> String {
        var content = json
        if let value = try? JSONReader.read(json.utf8), let messages = messages(in: value), !messages.isEmpty {
            let message = messages.last { $0["role"]?.string == role } ?? messages[messages.count - 1]
            if let text = text(of: message), !text.isEmpty { content = text }
        }
        let scalars = content.unicodeScalars
        guard scalars.count > maxLength else { return content }
        return String(String.UnicodeScalarView(scalars.prefix(maxLength - 3))) + "..."
    }

    private static func messages(in value: JSONValue, depth: Int = 0) -> [JSONValue]? {
        guard case .object = value, depth < 8 else { return nil }
        for name in ["messages", "input", "output"] {
            if name == "input", let message = value["choices"]?.array?.first?["message"], isMessage(message) { return [message] }
            if let list = value[name]?.array, !list.isEmpty { return list.filter { isMessage($0) } }
        }
        return value["request"].flatMap { messages(in: $0, depth: depth + 1) }
    }

    private static func isMessage(_ value: JSONValue) -> Bool { value["role"] != nil && value["content"] != nil }

    private static func text(of message: JSONValue) -> String? {
        guard let content = message["content"] else { return nil }
        if let text = content.string { return text }
        for part in content.array ?? [] {
            if let text = part.string { return text }
            if ["text", "output_text"].contains(part["type"]?.string) { return part["text"]?.string }
        }
        return nil
    }
}
