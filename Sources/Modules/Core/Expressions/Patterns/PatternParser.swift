/// Reads the notation of patterns: `abc . [a-z] [^a-z] \d \w \s \b ^ $ (a|b) (?:a) * + ? {2} {2,} {2,5}`, with `(?i)` at the start for
/// either case.
struct PatternParser {
    indirect enum Node {
        case empty
        /// Index into ``sets``.
        case set(Int)
        case assertion(Pattern.Assertion)
        case sequence([Node])
        case either([Node])
        case repeated(Node, least: Int, most: Int?)
    }

    typealias Ranges = [ClosedRange<UInt32>]

    /// The most repetitions that braces may ask for.
    static let maxRepeats = 1_000
    private static let maxDepth = 64

    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var depth = 0
    private var ignoresCase = false
    private(set) var sets: [ScalarSet] = []

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func parseWhole() throws(Pattern.Error) -> Node {
        if scalars.starts(with: "(?i)".unicodeScalars) {
            ignoresCase = true
            at = 4
        }
        let node = try either()
        guard at == scalars.count else { throw Pattern.Error("\")\" closes nothing", at: at) }
        return node
    }

    private var next: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        at += 1
        return true
    }

    private mutating func either() throws(Pattern.Error) -> Node {
        var nodes = [try sequence()]
        while take("|") { nodes.append(try sequence()) }
        return nodes.count == 1 ? nodes[0] : .either(nodes)
    }

    private mutating func sequence() throws(Pattern.Error) -> Node {
        var nodes: [Node] = []
        while let scalar = next, scalar != "|", scalar != ")" { nodes.append(try repeated()) }
        return nodes.isEmpty ? .empty : .sequence(nodes)
    }

    private mutating func repeated() throws(Pattern.Error) -> Node {
        let start = at, node = try atom()
        guard let (least, most) = try quantifier() else { return node }
        if case .assertion = node { throw Pattern.Error("there is nothing to repeat here", at: start) }
        // Whether as few or as many as possible are taken makes no difference to whether there is a match.
        _ = take("?")
        let again = at
        guard try quantifier() == nil else { throw Pattern.Error("a repetition cannot be repeated; put parentheses around it", at: again) }
        return .repeated(node, least: least, most: most)
    }

    private mutating func quantifier() throws(Pattern.Error) -> (least: Int, most: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        let start = at
        guard take("{") else { return nil }
        guard let least = number() else {
            throw Pattern.Error("\"{\" begins a count, such as {2} or {2,5}; write \\{ for the sign", at: start)
        }
        var most: Int? = least
        if take(",") { most = number() }
        guard take("}") else { throw Pattern.Error("the count that begins here has no closing \"}\"", at: start) }
        guard Swift.max(least, most ?? 0) <= Self.maxRepeats, least <= most ?? least else {
            throw Pattern.Error("a count goes up to \(Self.maxRepeats), the smaller number first", at: start)
        }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var digits = ""
        while let scalar = next, ("0"..."9").contains(scalar), digits.count < 6 {
            digits.unicodeScalars.append(scalar)
            at += 1
        }
        return Int(digits)
    }

    private mutating func atom() throws(Pattern.Error) -> Node {
        let start = at, scalar = scalars[at]
        at += 1
        switch scalar {
        case "(": return try group(openedAt: start)
        case "[": return try bracket(openedAt: start)
        case ".": return set(ScalarSet.others([10...10]))
        case "^": return .assertion(.start)
        case "$": return .assertion(.end)
        case "\\": return try escape(at: start)
        case "*", "+", "?", "{": throw Pattern.Error("there is nothing to repeat before \"\(scalar)\"", at: start)
        default: return set([scalar.value...scalar.value])
        }
    }

    private mutating func group(openedAt start: Int) throws(Pattern.Error) -> Node {
        if take("?"), !take(":") {
            throw Pattern.Error("only (?:…) and, at the very start, (?i) are known; looking around is not", at: start)
        }
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maxDepth else { throw Pattern.Error("nested deeper than \(Self.maxDepth) levels", at: start) }
        let node = try either()
        guard take(")") else { throw Pattern.Error("this \"(\" is never closed", at: start) }
        return node
    }

    private mutating func escape(at start: Int) throws(Pattern.Error) -> Node {
        switch next {
        case "b":
            at += 1
            return .assertion(.wordBoundary)
        case "B":
            at += 1
            return .assertion(.noWordBoundary)
        default: return set(try escaped(at: start))
        }
    }

    /// What follows a backslash, as a set.
    private mutating func escaped(at start: Int) throws(Pattern.Error) -> Ranges {
        guard let scalar = next else { throw Pattern.Error("a backslash at the end", at: start) }
        at += 1
        switch scalar {
        case "d": return ScalarSet.digits
        case "D": return ScalarSet.others(ScalarSet.digits)
        case "w": return ScalarSet.words
        case "W": return ScalarSet.others(ScalarSet.words)
        case "s": return ScalarSet.spaces
        case "S": return ScalarSet.others(ScalarSet.spaces)
        case "n": return [10...10]
        case "r": return [13...13]
        case "t": return [9...9]
        case "0"..."9": throw Pattern.Error("references to groups are not known", at: start)
        case "a"..."z", "A"..."Z": throw Pattern.Error("\"\\\(scalar)\" is not known", at: start)
        default: return [scalar.value...scalar.value]
        }
    }

    private mutating func bracket(openedAt start: Int) throws(Pattern.Error) -> Node {
        let isInverted = take("^")
        var ranges: Ranges = [], isFirst = true
        while let scalar = next, isFirst || scalar != "]" {
            isFirst = false
            let from = at
            at += 1
            let one = scalar == "\\" ? try escaped(at: from) : [scalar.value...scalar.value]
            guard next == "-", at + 1 < scalars.count, scalars[at + 1] != "]", let first = one.single else {
                ranges += one
                continue
            }
            at += 1
            let last = scalars[at]
            at += 1
            let end = last == "\\" ? try escaped(at: at - 1) : [last.value...last.value]
            guard let end = end.single, first <= end else {
                throw Pattern.Error("a range goes from a lower to a higher character", at: from)
            }
            ranges.append(first...end)
        }
        guard take("]") else { throw Pattern.Error("this \"[\" is never closed", at: start) }
        return set(ranges, isInverted: isInverted)
    }

    private mutating func set(_ ranges: Ranges, isInverted: Bool = false) -> Node {
        sets.append(ScalarSet(ignoresCase ? Self.bothCases(ranges) : ranges, isInverted: isInverted))
        return .set(sets.count - 1)
    }

    /// Adds the other case of letters whose other case is one scalar; a range wider than an alphabet is left as it is.
    private static func bothCases(_ ranges: Ranges) -> Ranges {
        var both = ranges
        for range in ranges where range.count <= 1_024 {
            for value in range {
                guard let properties = Unicode.Scalar(value)?.properties else { continue }
                for text in [properties.lowercaseMapping, properties.uppercaseMapping] where text.unicodeScalars.count == 1 {
                    if let scalar = text.unicodeScalars.first, scalar.value != value { both.append(scalar.value...scalar.value) }
                }
            }
        }
        return both
    }
}

extension PatternParser.Ranges {
    /// The scalar of a set that holds one.
    fileprivate var single: UInt32? { count == 1 && self[0].count == 1 ? self[0].lowerBound : nil }
}
