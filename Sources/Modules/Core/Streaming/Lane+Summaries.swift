import Domain
import Expressions
import Statistics
import Table

/// Aggregates that remember more than one number: deviation, quantiles, different values.
extension Lane {
    mutating func addSummaries(_ column: Column, _ rows: [Int32], _ slots: [Int32]) {
        let nulls = column.nulls
        switch (storage, column.values) {
        case (.moments, .double(let values)): each(rows, slots, nulls) { $0.addMoment(values[$1], $2) }
        case (.moments, .int(let values)):
            each(rows, slots, nulls) { $0.addMoment(Double(values[$1]), $2) }
        case (.quantiles, .double(let values)):
            each(rows, slots, nulls) { $0.quantiles[$2].add(values[$1]) }
        case (.quantiles, .int(let values)):
            each(rows, slots, nulls) { $0.quantiles[$2].add(Double(values[$1])) }
        case (.distincts, .double(let values)):
            each(rows, slots, nulls) { $0.distincts[$2].add(hash: StableHash.hash(values[$1])) }
        case (.distincts, .int(let values)), (.distincts, .time(let values)):
            each(rows, slots, nulls) { $0.distincts[$2].add(hash: StableHash.hash(values[$1])) }
        case (.distincts, .bool(let values)):
            each(rows, slots, nulls) {
                $0.distincts[$2].add(hash: StableHash.hash(Int64(values[$1] ? 1 : 0)))
            }
        case (.distincts, .string(let values)):
            each(rows, slots, nulls) { $0.distincts[$2].add(hash: StableHash.hash(values[$1])) }
        default: break  // The compiled program has fixed the column's type; nothing else can arrive.
        }
    }

    @inline(__always)
    private mutating func each(
        _ rows: [Int32], _ slots: [Int32], _ nulls: [Bool]?,
        _ add: (inout Lane, _ row: Int, _ slot: Int) -> Void
    ) {
        for index in rows.indices {
            let row = Int(rows[index])
            let slot = Int(slots[index])
            if let nulls, nulls[row] { continue }
            counts[slot] += 1
            add(&self, row, slot)
        }
    }

    /// The mean in `doubles`, the sum of squared distances from it in `squares`.
    ///
    /// Source: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics 4(3), 1962.
    private mutating func addMoment(_ value: Double, _ slot: Int) {
        let distance = value - doubles[slot]
        doubles[slot] += distance / Double(counts[slot])
        squares[slot] += distance * (value - doubles[slot])
    }

    /// What such an aggregate says of a window that holds a value.
    func summary(_ slot: Int) -> Value {
        switch storage {
        case .moments: .finite((squares[slot] / Double(counts[slot])).squareRoot())
        case .quantiles: quantiles[slot].quantile(parameter).map(Value.finite) ?? .null
        case .distincts: .int(Int64(distincts[slot].count))
        default: .null
        }
    }

    /// Adds another slot that holds values; this one's `counts` are those before.
    ///
    /// Source: T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.
    mutating func combineSummaries(_ other: Int, into slot: Int) {
        switch storage {
        case .moments:
            let ours = Double(counts[slot])
            let theirs = Double(counts[other])
            let distance = doubles[other] - doubles[slot]
            doubles[slot] += distance * (theirs / (ours + theirs))
            squares[slot] += squares[other] + distance * distance * (ours * theirs / (ours + theirs))
        case .quantiles: quantiles[slot].merge(quantiles[other])
        case .distincts: distincts[slot].merge(distincts[other])
        default: break
        }
    }
}
