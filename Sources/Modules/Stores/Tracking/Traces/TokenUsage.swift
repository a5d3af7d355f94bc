import Web

/// Tokens that a call of a language model took, by kind.
struct TokenUsage: Sendable, Equatable {
    private static let always = ["input_tokens", "output_tokens", "total_tokens"]
    private static let names =
        always + ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation_input_tokens_above_1hr"]

    private var counts: [String: Int64]

    /// - Returns: `nil` for text without any count.
    init?(json: String) {
        guard let value = try? JSONReader.read(json.utf8) else { return nil }
        counts = [:]
        for name in Self.names {
            guard case .bool? = value[name] else {
                counts[name] = value[name]?.int64
                continue
            }
        }
        guard !counts.isEmpty else { return nil }
    }

    private init(zero: Void) { counts = Dictionary(uniqueKeysWithValues: Self.always.map { ($0, 0) }) }

    var text: String { PythonJSON.text(.object(Self.names.compactMap { name in counts[name].map { .init(name, .int($0)) } })) }

    /// The tokens of a trace: what a span says covers all below it, so no token counts twice.
    static func total(_ spans: [(id: String, parent: String?, json: String?)]) -> TokenUsage? {
        var total = TokenUsage(zero: ()), isAny = false
        for json in SpanTotals.topmost(spans) {
            guard let usage = TokenUsage(json: json) else { continue }
            isAny = true
            for (name, count) in usage.counts { total.counts[name] = (total.counts[name] ?? 0).addingReportingOverflow(count).partialValue }
        }
        return isAny ? total : nil
    }
}

/// What a call of a language model cost, in US dollars.
struct TokenCost: Sendable, Equatable {
    private static let names = ["input_cost", "output_cost", "total_cost"]

    private var costs: [String: Double]

    init?(json: String) {
        guard let value = try? JSONReader.read(json.utf8) else { return nil }
        costs = [:]
        for name in Self.names {
            guard case .bool? = value[name] else {
                if let cost = value[name]?.number, cost.isFinite { costs[name] = cost }
                continue
            }
        }
        guard !costs.isEmpty else { return nil }
    }

    var text: String { PythonJSON.text(.object(Self.names.compactMap { name in costs[name].map { .init(name, .double($0)) } })) }

    static func total(_ spans: [(id: String, parent: String?, json: String?)]) -> TokenCost? {
        var total: TokenCost?
        for json in SpanTotals.topmost(spans) {
            guard let cost = TokenCost(json: json) else { continue }
            var sum = total ?? TokenCost(json: #"{"input_cost":0,"output_cost":0,"total_cost":0}"#) ?? cost
            for (name, value) in cost.costs { sum.costs[name, default: 0] += value }
            total = sum
        }
        return total
    }
}

enum SpanTotals {
    /// What spans say that have nobody above them saying something too.
    static func topmost(_ spans: [(id: String, parent: String?, json: String?)]) -> [String] {
        let byID = Dictionary(spans.map { ($0.id, $0) }) { first, _ in first }
        return spans.compactMap { span in
            guard let json = span.json else { return nil }
            var above = span.parent.flatMap { byID[$0] }, steps = 0
            // Ids come from strangers: a circle ends after as many steps as there are spans.
            while let ancestor = above, steps < spans.count {
                if ancestor.json != nil { return nil }
                above = ancestor.parent.flatMap { byID[$0] }
                steps += 1
            }
            return json
        }
    }
}
