import Domain
package import Project

/// How fast event time may pass.
package enum Speed: Sendable, Hashable {
    /// As fast as the log takes it.
    case unlimited
    /// Milliseconds of event time per millisecond of the clock; positive.
    case times(Double)
}

extension SettingForm where Value == Speed {
    package static var speed: Self {
        SettingForm(
            "a speed: max, 1x, 60x or 0.5x",
            parse: { text in
                if text == "max" { return .unlimited }
                guard text.hasSuffix("x"), let factor = Double(text.dropLast()), factor > 0, factor.isFinite else { return nil }
                return .times(factor)
            },
            write: { speed in
                switch speed {
                case .unlimited: "max"
                case .times(let factor): (factor == factor.rounded() && factor < 1e15 ? String(Int64(factor)) : String(factor)) + "x"
                }
            })
    }
}

/// What the role `produce` needs to know.
package struct ProduceSettings: Sendable {
    package let speed: Speed
    /// Names of the sources to run; empty for all of them.
    package let sources: [String]
    /// Whether to end when the finite sources have ended, and to leave endless ones out.
    package let once: Bool

    /// - Parameter project: Tells which sources there are.
    package init(reader: SettingsReader, project: ProjectDefinition) throws(SettingsError) {
        speed = reader.read(Self.speed)
        sources = reader.read(Self.sources)
        once = reader.read(Self.once)
        let known = project.sources.map(\.name)
        for name in sources where !known.contains(name) {
            reader.refuse("produce.sources", "there is no source \"\(name)\"" + SpellingSuggestion.hint(for: name, among: known))
        }
        try reader.finish()
    }

    static let speed = Setting("produce.speed", .speed, default: Speed.times(1), "How fast event time passes.")
    static let sources = Setting("produce.sources", .names, default: [], "The sources to run; none named means all.")
    static let once = Setting("produce.once", .flag, default: false, "End with the input.")

    static let catalogue = [SettingInfo(speed), SettingInfo(sources), SettingInfo(once)]
}
