import Domain
import Expressions

extension Lane {
    /// Adds what another slot holds, as if its events had come after this one's; the other slot stays as it is.
    ///
    /// `first` and `last` still go by (event time, offset), wherever the two stand.
    mutating func merge(_ other: Int, into slot: Int) {
        guard counts[other] > 0 else { return }
        let isFirst = counts[slot] == 0
        if isOrdered {
            if takesPlace(slot, isFirst, times[other], offsets[other]) { copyValue(other, to: slot) }
        } else if isFirst {
            copyValue(other, to: slot)
            if !times.isEmpty { times[slot] = times[other] }
        } else {
            combine(other, into: slot)
        }
        counts[slot] += counts[other]
    }

    private mutating func copyValue(_ other: Int, to slot: Int) {
        switch storage {
        case .none: break
        case .doubles: doubles[slot] = doubles[other]
        case .ints: ints[slot] = ints[other]
        case .texts: texts[slot] = texts[other]
        case .moments: (doubles[slot], squares[slot]) = (doubles[other], squares[other])
        case .quantiles: quantiles[slot] = quantiles[other]
        case .distincts: distincts[slot] = distincts[other]
        }
    }

    private mutating func combine(_ other: Int, into slot: Int) {
        switch (kind, storage) {
        case (.sum, .doubles), (.mean, .doubles): doubles[slot] += doubles[other]
        case (.sum, .ints):
            let (sum, overflow) = ints[slot].addingReportingOverflow(ints[other])
            ints[slot] = sum
            if overflow || times[other] != 0 { times[slot] = 1 }
        case (.min, .doubles): if doubles[other] < doubles[slot] { doubles[slot] = doubles[other] }
        case (.max, .doubles): if doubles[other] > doubles[slot] { doubles[slot] = doubles[other] }
        case (.min, .ints): ints[slot] = min(ints[slot], ints[other])
        case (.max, .ints): ints[slot] = max(ints[slot], ints[other])
        case (.min, .texts): if texts[other] < texts[slot] { texts[slot] = texts[other] }
        case (.max, .texts): if texts[other] > texts[slot] { texts[slot] = texts[other] }
        case (_, .moments), (_, .quantiles), (_, .distincts): combineSummaries(other, into: slot)
        default: break  // Counts have no value of their own.
        }
    }
}
