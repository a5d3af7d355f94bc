/// How the text of a setting becomes a value, the same whether it comes from a flag, the environment or the file.
package struct SettingForm<Value: Sendable>: Sendable {
    /// What would be right, to end the sentence "… is not": `a port from 0 to 65535`.
    package let expected: String
    /// `nil` when the text is something else.
    package let parse: @Sendable (String) -> Value?
    /// The text that ``parse`` reads back.
    package let write: @Sendable (Value) -> String

    package init(
        _ expected: String, parse: @escaping @Sendable (String) -> Value?, write: @escaping @Sendable (Value) -> String
    ) {
        self.expected = expected
        self.parse = parse
        self.write = write
    }
}

/// One setting that has a default.
package struct Setting<Value: Sendable>: Sendable {
    /// Dotted: `serve.port` is `serve: {port: …}` under `settings:` and `MLOPS_SERVE_PORT` in the environment.
    package let key: String
    package let fallback: Value
    package let form: SettingForm<Value>
    /// One sentence for the reference of settings.
    package let purpose: String

    package init(_ key: String, _ form: SettingForm<Value>, default fallback: Value, _ purpose: String) {
        self.key = key
        self.fallback = fallback
        self.form = form
        self.purpose = purpose
    }
}

/// One setting that may be absent.
package struct OptionalSetting<Value: Sendable>: Sendable {
    package let key: String
    package let form: SettingForm<Value>
    package let purpose: String
    /// Shown as `[redacted]`, and refused in the project file, which is shared.
    package let isSecret: Bool

    package init(_ key: String, _ form: SettingForm<Value>, _ purpose: String, isSecret: Bool = false) {
        self.key = key
        self.form = form
        self.purpose = purpose
        self.isSecret = isSecret
    }
}

/// A setting without its type: what the file is checked against and the reference is made from.
package struct SettingInfo: Sendable {
    package let key: String
    /// `nil` when the setting is absent by default.
    package let fallback: String?
    package let expected: String
    package let purpose: String
    package let isSecret: Bool
    let accepts: @Sendable (String) -> Bool

    package init<Value>(_ setting: Setting<Value>) {
        key = setting.key
        fallback = setting.form.write(setting.fallback)
        expected = setting.form.expected
        purpose = setting.purpose
        isSecret = false
        let parse = setting.form.parse
        accepts = { parse($0) != nil }
    }

    package init<Value>(_ setting: OptionalSetting<Value>) {
        key = setting.key
        fallback = nil
        expected = setting.form.expected
        purpose = setting.purpose
        isSecret = setting.isSecret
        let parse = setting.form.parse
        accepts = { parse($0) != nil }
    }

    /// The variable that sets it: `MLOPS_SERVE_PORT`.
    package var environmentVariable: String {
        "MLOPS_" + key.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }
}
