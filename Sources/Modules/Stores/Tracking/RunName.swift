/// Names for runs that nobody named: `quiet-heron-417`.
enum RunName {
    static func random(using generator: inout some RandomNumberGenerator) -> String {
        let adjective = adjectives.randomElement(using: &generator) ?? "plain"
        let noun = nouns.randomElement(using: &generator) ?? "run"
        return "\(adjective)-\(noun)-\(Int.random(in: 0...999, using: &generator))"
    }

    private static let adjectives = [
        "amber", "bold", "brisk", "calm", "clear", "crisp", "deep", "eager", "fair", "fleet", "gentle", "glad", "keen", "lively", "lucid",
        "mellow", "mild", "neat", "nimble", "patient", "polite", "proud", "quick", "quiet", "rapid", "sharp", "silent", "smooth", "steady",
        "sunny", "swift", "tidy", "vivid", "warm", "wise",
    ]

    private static let nouns = [
        "aspen", "badger", "beetle", "birch", "brook", "cedar", "cliff", "crane", "delta", "falcon", "fern", "finch", "fjord", "grove",
        "harbor", "hare", "heron", "island", "lark", "maple", "marten", "meadow", "moth", "otter", "owl", "pine", "quail", "reef", "ridge",
        "river", "salmon", "sparrow", "tern", "valley", "willow", "wren",
    ]
}
