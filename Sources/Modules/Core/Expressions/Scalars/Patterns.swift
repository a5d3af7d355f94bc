import Domain
import Table

extension ScalarFunction {
    /// Searching in text.
    static let patterns: [ScalarFunction] = [
        ScalarFunction(
            "regex_match(text, pattern)", "Whether a regular expression is found in the text; ^ and $ hold it to the ends.",
            resolvingLiterals: { types, literals throws(Mismatch) in
                try require(types[0], .string, argument: 0)
                guard case .string(let text)? = literals[1] else {
                    throw Mismatch("needs a pattern written out, such as \"^[A-Z]+$\"", argument: 1)
                }
                let pattern: Pattern
                do throws(Pattern.Error) {
                    pattern = try Pattern(text)
                } catch {
                    throw Mismatch("cannot read the pattern: \(error.message) (at its character \(error.offset + 1))", argument: 1)
                }
                return Resolution(arguments: [.string], result: .bool) { arguments, count, _ in
                    var search = PatternSearch(pattern)
                    let texts = arguments[0].strings, nulls = arguments[0].nulls
                    var found = [Bool](repeating: false, count: count)
                    for row in 0..<count where !(nulls?[row] ?? false) { found[row] = search.isFound(in: texts[row]) }
                    return Vector(bools: found, nulls: nulls)
                }
            })
    ]
}
