/// The nearest valid spelling of a name, for messages about unknown ones.
package enum SpellingSuggestion {
    /// - Returns: The candidate with the fewest edits, if that is at most a third of the name's length (at least 1, at most 4).
    package static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let limit = min(4, max(1, (name.count + 2) / 3))
        return candidates.map { (edits(name, $0), $0) }.filter { $0.0 <= limit }.min { $0 < $1 }?.1
    }

    /// `; did you mean "x"?`, or a list of what exists, ready to end a message.
    package static func hint(for name: String, among candidates: [String]) -> String {
        if let nearest = nearest(to: name, among: candidates) { return "; did you mean \"\(nearest)\"?" }
        return candidates.isEmpty ? "" : "; known: \(candidates.sorted().joined(separator: ", "))"
    }

    /// Optimal string alignment distance: insertions, deletions, substitutions, neighbouring transpositions.
    static func edits(_ a: String, _ b: String) -> Int {
        let a = Array(a.lowercased()), b = Array(b.lowercased())
        var twoAgo: [Int] = [], previous = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, twoAgo[j - 1] + 1) }
                row.append(cost)
            }
            (twoAgo, previous) = (previous, row)
        }
        return previous[b.count]
    }
}
