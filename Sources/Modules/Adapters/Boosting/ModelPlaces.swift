/// Where the numbers that depend on the labels stand in a model's UBJSON.
///
/// It reads what the library has just written and no more of UBJSON than the library uses: objects without a count,
/// arrays with one, numbers of fixed width and the most significant byte first. Nothing is decoded, so what is not
/// changed stays as it was to the bit.
///
/// Source: Universal Binary JSON Specification, draft 12, <https://ubjson.org>.
struct ModelPlaces {
    /// Offsets of the first elements of three arrays with one entry of four bytes a node.
    struct Tree {
        let nodeCount: Int
        let leftChildren: Int
        /// `base_weights`: the output of each node, inner ones included.
        let weights: Int
        /// `split_conditions`: the threshold of an inner node, the output of a leaf.
        let conditions: Int
    }

    let trees: [Tree]
    /// The string `base_score`, marker and length included.
    let start: Range<Int>
    /// Whether that string is a list of one number.
    let startIsList: Bool

    init(_ model: [UInt8]) throws(BoostingError) {
        var scanner = Scanner(model)
        try scanner.scan()
        guard let start = scanner.start, let last = model[start].last else { throw Self.error("there is no base_score") }
        let (lefts, weights, conditions) = (scanner.lefts, scanner.weights, scanner.conditions)
        guard lefts.count == weights.count, lefts.count == conditions.count else { throw Self.error("a tree lacks an array") }
        var trees: [Tree] = []
        for (index, left) in lefts.enumerated() {
            guard left.count == weights[index].count, left.count == conditions[index].count else {
                throw Self.error("the arrays of tree \(index) differ in length")
            }
            trees.append(
                Tree(
                    nodeCount: left.count / 4, leftChildren: left.lowerBound, weights: weights[index].lowerBound,
                    conditions: conditions[index].lowerBound))
        }
        self.trees = trees
        self.start = start
        startIsList = last == UInt8(ascii: "]")
    }

    fileprivate static func error(_ message: String) -> BoostingError { BoostingError(.library, "rewrite the model", message) }
}

/// Walks the document once and notes the byte ranges of what ``ModelPlaces`` is about.
private struct Scanner {
    private static let inTrees = ["learner", "gradient_booster", "model", "trees"]
    private static let inParameters = ["learner", "learner_model_param"]

    private let bytes: [UInt8]
    private var at = 0
    /// Keys from the root to the value being read; an array's elements have the path of the array.
    private var path: [String] = []
    private(set) var start: Range<Int>?
    private(set) var lefts: [Range<Int>] = []
    private(set) var weights: [Range<Int>] = []
    private(set) var conditions: [Range<Int>] = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func scan() throws(BoostingError) {
        try value(try byte())
        guard at == bytes.count else { throw ModelPlaces.error("\(bytes.count - at) bytes follow the model") }
    }

    private mutating func value(_ marker: UInt8) throws(BoostingError) {
        switch marker {
        case UInt8(ascii: "{"): try object()
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "S"):
            let first = at - 1
            _ = try take(try count())
            if path.last == "base_score", path.dropLast().elementsEqual(Self.inParameters) { start = first..<at }
        case UInt8(ascii: "Z"), UInt8(ascii: "T"), UInt8(ascii: "F"): break
        default: _ = try take(try width(marker))
        }
    }

    private mutating func object() throws(BoostingError) {
        while at < bytes.count, bytes[at] != UInt8(ascii: "}") {
            let key = try take(try count())
            path.append(String(decoding: bytes[key], as: UTF8.self))
            try value(try byte())
            path.removeLast()
        }
        _ = try byte()
    }

    private mutating func array() throws(BoostingError) {
        var type: UInt8?
        if at < bytes.count, bytes[at] == UInt8(ascii: "$") {
            at += 1
            type = try byte()
        }
        guard try byte() == UInt8(ascii: "#") else { throw ModelPlaces.error("an array states no count") }
        let count = try count()
        guard let type else {
            for _ in 0..<count { try value(try byte()) }
            return
        }
        let (size, overflows) = count.multipliedReportingOverflow(by: try width(type))
        guard !overflows else { throw ModelPlaces.error("it ends too early") }
        try note(try take(size), type)
    }

    /// Keeps the place of an array of numbers if it is one of the three.
    private mutating func note(_ range: Range<Int>, _ type: UInt8) throws(BoostingError) {
        guard let name = path.last, path.dropLast().elementsEqual(Self.inTrees) else { return }
        let expected: UInt8
        switch name {
        case "left_children":
            lefts.append(range)
            expected = UInt8(ascii: "l")
        case "base_weights":
            weights.append(range)
            expected = UInt8(ascii: "d")
        case "split_conditions":
            conditions.append(range)
            expected = UInt8(ascii: "d")
        default: return
        }
        guard type == expected else { throw ModelPlaces.error("\(name) is of type \(type)") }
    }

    private mutating func byte() throws(BoostingError) -> UInt8 { bytes[try take(1).lowerBound] }

    private mutating func take(_ count: Int) throws(BoostingError) -> Range<Int> {
        guard count <= bytes.count - at else { throw ModelPlaces.error("it ends too early") }
        defer { at += count }
        return at..<at + count
    }

    private mutating func count() throws(BoostingError) -> Int {
        let range = try take(try width(try byte()))
        guard let count = Int(exactly: bytes[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) else {
            throw ModelPlaces.error("it ends too early")
        }
        return count
    }

    /// Bytes of a number.
    private func width(_ marker: UInt8) throws(BoostingError) -> Int {
        switch marker {
        case UInt8(ascii: "i"), UInt8(ascii: "U"): return 1
        case UInt8(ascii: "I"): return 2
        case UInt8(ascii: "l"), UInt8(ascii: "d"): return 4
        case UInt8(ascii: "L"), UInt8(ascii: "D"): return 8
        default: throw ModelPlaces.error("unknown marker \(marker)")
        }
    }
}
