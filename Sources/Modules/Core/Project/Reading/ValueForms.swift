import Learning

/// The small notations of the project file.
enum ValueForms {
    /// Digits with an optional minus; `+5`, `5.0` and `1_000` are something else.
    static func integer(_ text: String) -> Int64? {
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy(isDigit) else { return nil }
        return Int64(text)
    }

    /// A finite decimal number, with an exponent if need be; `nan`, `inf` and `0x10` are something else.
    static func number(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ isDigit($0) || "+-.eE".utf8.contains($0) }), text.utf8.contains(where: isDigit),
            let number = Double(text), number.isFinite
        else { return nil }
        return number
    }

    /// `200/s`, `12000/m`, `0.5/h`: events per second.
    static func rate(_ text: String) -> Double? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let seconds = ["s": 1.0, "m": 60, "h": 3_600][String(parts[1])], let count = number(String(parts[0])),
            count > 0
        else { return nil }
        return count / seconds
    }

    /// `name(a, b)`.
    static func call(_ text: String) -> (name: String, arguments: [String])? {
        guard let open = text.firstIndex(of: "("), text.hasSuffix(")") else { return nil }
        let inner = text[text.index(after: open)...].dropLast()
        let arguments = inner.split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
        return (trimmed(text[..<open]), arguments == [""] ? [] : arguments)
    }

    /// `int(2, 10)`, `log(0.01, 0.5)`, `linear(0, 1)`, or a number that is not searched.
    static func range(_ text: String) -> (scale: TrainingDefinition.ParameterRange.Scale?, lower: Double, upper: Double)? {
        if let fixed = number(text) { return (nil, fixed, fixed) }
        guard let call = call(text), let scale = TrainingDefinition.ParameterRange.Scale(rawValue: call.name), call.arguments.count == 2,
            let lower = number(call.arguments[0]), let upper = number(call.arguments[1])
        else { return nil }
        return (scale, lower, upper)
    }

    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 200 && text != "." && text != ".."
            && text.utf8.allSatisfy { isDigit($0) || ($0 | 32 >= 97 && $0 | 32 <= 122) || [45, 46, 95].contains($0) }
    }

    /// A name that an expression can use without backquotes.
    static func isPlainWord(_ text: String) -> Bool {
        text.utf8.first.map { !isDigit($0) } == true
            && text.utf8.allSatisfy { isDigit($0) || $0 == 95 || ($0 | 32 >= 97 && $0 | 32 <= 122) }
            && !["and", "or", "not", "true", "false", "null"].contains(text)
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
}
