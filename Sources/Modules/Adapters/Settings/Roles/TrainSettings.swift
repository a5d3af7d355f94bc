/// What the role `train` needs to know.
package struct TrainSettings: Sendable {
    package enum Refusal: String, Sendable, CaseIterable {
        /// A refused model ends the process with status 2.
        case fail
        /// A refused model is a normal outcome: status 0.
        case ok
    }

    package let refusal: Refusal
    /// Each overrides the project's `budget:`.
    package let trials: Int?
    package let seconds: Double?
    package let seed: UInt64?

    package init(reader: SettingsReader) throws(SettingsError) {
        refusal = reader.read(Self.refusal)
        trials = reader.read(Self.trials)
        seconds = reader.read(Self.seconds)
        seed = reader.read(Self.seed)
        try reader.finish()
    }

    static let refusal = Setting("train.refusal", .choice, default: Refusal.fail, "What a refused promotion means for the exit status.")
    static let trials = OptionalSetting("train.trials", .count(1...100_000), "Trials of the search, instead of the budget's.")
    static let seconds = OptionalSetting("train.seconds", .seconds, "Time for the search, instead of the budget's.")
    static let seed = OptionalSetting("train.seed", .seed, "Seed of the search, instead of the budget's.")

    static let catalogue = [SettingInfo(refusal), SettingInfo(trials), SettingInfo(seconds), SettingInfo(seed)]
}
