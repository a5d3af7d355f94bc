/// A set of offsets as the ranges it is made of: `0-5,8-9`.
struct OffsetRanges: Equatable {
    /// Ascending, apart from each other.
    private var ranges: [ClosedRange<Int64>] = []

    init(_ text: String) {
        ranges = text.split(separator: ",").compactMap { part in
            let bounds = part.split(separator: "-").compactMap { Int64($0) }
            return bounds.count == 2 && bounds[0] <= bounds[1] ? bounds[0]...bounds[1] : nil
        }
    }

    var text: String { ranges.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",") }

    func contains(_ offset: Int64) -> Bool {
        let next = firstIndex(behind: offset)
        return next > 0 && ranges[next - 1].contains(offset)
    }

    mutating func insert(_ offset: Int64) {
        let next = firstIndex(behind: offset)
        if next > 0, ranges[next - 1].contains(offset) { return }
        let joinsLeft = next > 0 && ranges[next - 1].upperBound == offset - 1
        let joinsRight = next < ranges.count && ranges[next].lowerBound == offset + 1
        switch (joinsLeft, joinsRight) {
        case (true, true):
            ranges[next - 1] = ranges[next - 1].lowerBound...ranges[next].upperBound
            ranges.remove(at: next)
        case (true, false): ranges[next - 1] = ranges[next - 1].lowerBound...offset
        case (false, true): ranges[next] = offset...ranges[next].upperBound
        case (false, false): ranges.insert(offset...offset, at: next)
        }
    }

    /// The first range that begins behind an offset.
    private func firstIndex(behind offset: Int64) -> Int {
        var low = 0, high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
