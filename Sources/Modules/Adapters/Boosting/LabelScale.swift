import Statistics

/// Where training labels lie and how far they spread, and the way between them and what the trees are grown on.
///
/// XGBoost takes no split that gains less than 1e-6 in the square of the labels' unit, and keeps its running predictions
/// in single precision. Labels around 1e-3 would never be split; the differences between labels around 1e6 would drown
/// in rounding. So trees are grown on labels of mean 0 and deviation 1, and the finished model is rewritten to predict
/// the labels themselves.
struct LabelScale: Equatable {
    /// In the unit of the labels.
    let mean: Double
    /// Divisor n, in the unit of the labels; 1 where they do not vary.
    let deviation: Double

    init(_ labels: [Float]) {
        let moments = Moments(labels.lazy.map(Double.init))
        let deviation = moments.populationDeviation ?? 0
        mean = moments.mean
        self.deviation = deviation > 0 ? deviation : 1
    }

    func standardised(_ label: Double) -> Double { (label - mean) / deviation }

    /// Rewrites a model of standardised labels as one of labels.
    ///
    /// A forest's output is linear in its leaves, so each is multiplied by the deviation, in double precision and rounded
    /// once. `base_weights`, which hold the output of inner nodes as well, follow; the gains (`loss_changes`) stay in
    /// the standardised unit, as only their proportions are of use.
    /// - Parameters:
    ///   - model: UBJSON as the library has written it.
    ///   - start: What every row's sum starts from, in the unit of the labels.
    /// - Throws: ``BoostingError/Code/invalidInput`` when a leaf leaves the range of single precision.
    func restored(_ model: [UInt8], startingAt start: Double) throws(BoostingError) -> [UInt8] {
        let places = try ModelPlaces(model)
        var bytes = model
        for tree in places.trees {
            for node in 0..<tree.nodeCount {
                try scale(at: tree.weights + 4 * node, &bytes)
                if Self.word(at: tree.leftChildren + 4 * node, bytes) == .max { try scale(at: tree.conditions + 4 * node, &bytes) }
            }
        }
        // Everything else has kept its place and size; the text of the start has not.
        bytes.replaceSubrange(places.start, with: Self.text(try single(start), isList: places.startIsList))
        return bytes
    }

    private func scale(at place: Int, _ bytes: inout [UInt8]) throws(BoostingError) {
        let value = Double(Float(bitPattern: Self.word(at: place, bytes))) * deviation
        let word = try single(value).bitPattern
        for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * index)) }
    }

    private func single(_ value: Double) throws(BoostingError) -> Float {
        let rounded = Float(value)
        guard rounded.isFinite else { throw BoostingError(.invalidInput, "train", "the labels are too far apart for single precision") }
        return rounded
    }

    /// Four bytes, the most significant first; all ones where `left_children` says that a node is a leaf.
    private static func word(at place: Int, _ bytes: [UInt8]) -> UInt32 {
        bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A UBJSON string: the library writes numbers of its parameters as text, since version 3 with one entry a target.
    private static func text(_ number: Float, isList: Bool) -> [UInt8] {
        let text = Array((isList ? "[\(number)]" : "\(number)").utf8)
        let count = UInt64(text.count)
        return [UInt8(ascii: "S"), UInt8(ascii: "L")] + (0..<8).map { UInt8(truncatingIfNeeded: count >> UInt64(56 - 8 * $0)) } + text
    }
}
