/// Counts late records, and says when the count is worth a line: with the first ones, and whenever there are ten times as many.
struct Lateness: Sendable {
    /// Since the process started; an event is late once for each view that finds it late.
    private(set) var count = 0
    private var next = 1

    /// - Returns: Whether to tell the count.
    mutating func add(_ records: Int) -> Bool {
        count += records
        guard records > 0, count >= next else { return false }
        while next <= count { next *= 10 }
        return true
    }
}
