import Foundation

/// Evaluates a forest of boosted trees that XGBoost has trained.
///
/// Trees lie in one array of 12-byte nodes, siblings side by side, so that a step down is one comparison and one
/// addition. Leaves are added in single precision, in the order of the trees, starting from the base margin: the
/// order of XGBoost's own CPU predictor, so that margins are equal to the last bit and outputs within the rounding of `exp`.
///
/// A missing value is NaN and takes each node's default branch; a value equal to the threshold goes right.
package struct BoostedModel: Sendable {
    package enum Objective: String, Sendable {
        case squaredError = "reg:squarederror"
        case logistic = "binary:logistic"
        /// One probability a class.
        case softprob = "multi:softprob"
        /// The most probable class as a number.
        case softmax = "multi:softmax"
    }

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// Neither JSON nor UBJSON; the offset is in bytes.
        case unreadable(String, offset: Int)
        /// A part is missing, or contradicts another.
        case malformed(String)
        /// Sound, but outside what this evaluator can do exactly.
        case unsupported(String)

        package var description: String {
            switch self {
            case .unreadable(let reason, let offset): "the boosted model cannot be read: \(reason) at byte \(offset)"
            case .malformed(let reason): "the boosted model is damaged: \(reason)"
            case .unsupported(let what): "the boosted model cannot be evaluated: \(what)"
            }
        }
    }

    /// A split, or a leaf when ``left`` is 0: the root is never anybody's child.
    struct Node {
        /// The threshold of a split, the value of a leaf.
        var value: Float
        /// Feature index; the top bit says that missing values go left.
        var feature: UInt32
        /// Position of the left child; the right one follows it.
        var left: UInt32

        static var missingGoesLeft: UInt32 { 1 << 31 }
    }

    package let objective: Objective
    /// Length of a row.
    package let featureCount: Int
    /// Empty when the model was trained without names.
    package let featureNames: [String]
    /// Margins of a row: one, or one a class.
    package let groupCount: Int
    let nodes: [Node]
    /// Where each tree starts, in the order of boosting.
    let roots: [UInt32]
    /// The margin each tree adds to.
    let groups: [Int32]
    /// What the margins start from.
    let baseMargins: [Float]

    package var treeCount: Int { roots.count }
    /// Numbers a row predicts: the margins, except that `softmax` answers one class.
    package var outputCount: Int { objective == .softmax ? 1 : groupCount }

    /// The sums of some rows before the objective's link.
    ///
    /// Trees are the outer loop, so a tree is fetched once for all rows; each row still adds them in order.
    /// - Parameters:
    ///   - rows: `count` × ``featureCount`` values, NaN where missing.
    ///   - margins: `count` × ``groupCount`` places.
    @inline(__always)
    private func margins(_ rows: UnsafePointer<Float>, count: Int, into margins: UnsafeMutablePointer<Float>) {
        for row in 0..<count {
            for group in 0..<groupCount { margins[row * groupCount + group] = baseMargins[group] }
        }
        nodes.withUnsafeBufferPointer { nodes in
            for tree in roots.indices {
                let sums = margins + Int(groups[tree])
                for row in 0..<count { sums[row * groupCount] += Self.leaf(nodes, from: roots[tree], rows + row * featureCount) }
            }
        }
    }

    @inline(__always)
    private static func leaf(_ nodes: UnsafeBufferPointer<Node>, from root: UInt32, _ row: UnsafePointer<Float>) -> Float {
        var node = nodes[Int(root)]
        while node.left != 0 {
            let value = row[Int(node.feature & ~Node.missingGoesLeft)]
            let goesRight = value.isNaN ? node.feature & Node.missingGoesLeft == 0 : !(value < node.value)
            node = nodes[Int(node.left) + (goesRight ? 1 : 0)]
        }
        return node.value
    }

    /// Writes the outputs of one row: no allocation.
    /// - Parameters:
    ///   - row: ``featureCount`` values, NaN where missing.
    ///   - outputs: ``groupCount`` places, of which the first ``outputCount`` hold the answer.
    func predict(_ row: UnsafePointer<Float>, into outputs: UnsafeMutablePointer<Float>) {
        margins(row, count: 1, into: outputs)
        link(outputs)
    }

    /// Turns the margins of one row into its outputs.
    private func link(_ outputs: UnsafeMutablePointer<Float>) {
        switch objective {
        case .squaredError: break
        case .logistic: for group in 0..<groupCount { outputs[group] = Self.sigmoid(outputs[group]) }
        case .softprob: Self.softmax(outputs, groupCount)
        case .softmax:
            var best = 0
            for group in 1..<groupCount where outputs[group] > outputs[best] { best = group }
            outputs[0] = Float(best)
        }
    }

    /// The outputs of one row.
    /// - Parameter row: ``featureCount`` values, NaN where missing.
    package func predict(row: [Float]) throws(Error) -> [Float] { try predict(matrix: row, rows: 1) }

    /// The outputs of many rows, row by row.
    /// - Parameter matrix: Row-major, `rows` × ``featureCount``, NaN where missing.
    /// - Throws: ``Error/malformed(_:)`` when the matrix has another size.
    package func predict(matrix: [Float], rows: Int) throws(Error) -> [Float] {
        var outputs = try margins(matrix: matrix, rows: rows)
        outputs.withUnsafeMutableBufferPointer { outputs in
            guard let outputs = outputs.baseAddress else { return }
            for row in 0..<rows { link(outputs + row * groupCount) }
        }
        guard outputCount != groupCount else { return outputs }
        return stride(from: 0, to: outputs.count, by: groupCount).map { outputs[$0] }
    }

    /// The sums of many rows before the objective's link, ``groupCount`` a row.
    package func margins(matrix: [Float], rows: Int) throws(Error) -> [Float] {
        guard rows >= 0, matrix.count == rows * featureCount else {
            throw .malformed("\(matrix.count) values are not \(rows) rows of \(featureCount)")
        }
        var result = [Float](repeating: 0, count: rows * groupCount)
        // A block of rows and its sums stay in the first-level cache while every tree passes over them.
        let block = 64
        matrix.withUnsafeBufferPointer { matrix in
            result.withUnsafeMutableBufferPointer { result in
                guard let matrix = matrix.baseAddress, let result = result.baseAddress else { return }
                for start in stride(from: 0, to: rows, by: block) {
                    margins(matrix + start * featureCount, count: min(block, rows - start), into: result + start * groupCount)
                }
            }
        }
        return result
    }

    /// As XGBoost computes it: the exponent is capped so that it stays finite.
    private static func sigmoid(_ margin: Float) -> Float { 1 / (exp(min(-margin, 88.7)) + 1 + 1e-16) }

    private static func softmax(_ margins: UnsafeMutablePointer<Float>, _ count: Int) {
        var top = margins[0]
        for group in 1..<count { top = max(top, margins[group]) }
        var sum = 0.0
        for group in 0..<count {
            margins[group] = exp(margins[group] - top)
            sum += Double(margins[group])
        }
        for group in 0..<count { margins[group] /= Float(sum) }
    }
}
