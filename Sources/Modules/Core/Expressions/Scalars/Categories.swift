import Domain
import Table

extension ScalarFunction {
    /// Bringing together what people write in many ways.
    static let categories: [ScalarFunction] = [
        ScalarFunction(
            "canonical(text, vocabulary)",
            "One spelling for a category: capitals, single blanks, the last word in the singular; with a vocabulary, its category. "
                + "A text of nothing but white space is null.", arity: 1...2,
            resolvingLiterals: { types, literals throws(Mismatch) in
                try require(types[0], .string, argument: 0)
                var vocabulary: Vocabulary?
                if types.count == 2 {
                    guard case .vocabulary(let named)? = literals[1] else {
                        throw Mismatch("needs the name of a vocabulary in quotes", argument: 1)
                    }
                    vocabulary = named
                }
                return Resolution(arguments: [.string], result: .string) { [vocabulary] arguments, _, counts in
                    normalised(arguments[0], vocabulary, &counts)
                }
            })
    ]

    private static func normalised(_ texts: Vector, _ vocabulary: Vocabulary?, _ counts: inout EvaluationCounts) -> Vector {
        let values = texts.strings
        var nulls = texts.nulls ?? [Bool](repeating: false, count: values.count)
        var results = [String](repeating: "", count: values.count)
        // A batch repeats few categories many times.
        var known: [String: Category] = [:]
        for row in values.indices where !nulls[row] {
            let category = known[values[row]] ?? Category(values[row], vocabulary)
            known[values[row]] = category
            nulls[row] = category.text.isEmpty
            results[row] = category.text
            guard vocabulary != nil, !category.text.isEmpty else { continue }
            counts.looked += 1
            if category.isUnknown { counts.unknown += 1 }
        }
        return Vector(.string(results), nulls: nulls.contains(true) ? nulls : nil)
    }
}

/// What a text comes to.
struct Category: Sendable {
    /// Empty when there is none.
    let text: String
    /// Whether there is a vocabulary that does not know it.
    let isUnknown: Bool

    init(_ raw: String, _ vocabulary: Vocabulary?) {
        let capitals = Vocabulary.capitals(raw)
        guard let vocabulary, !capitals.isEmpty else {
            text = EnglishNoun.singular(capitals)
            isUnknown = false
            return
        }
        if let category = vocabulary.category(of: capitals) {
            text = category
            isUnknown = false
        } else {
            isUnknown = true
            text = if case .category(let text) = vocabulary.unknown { text } else { EnglishNoun.singular(capitals) }
        }
    }
}
