/// The limits of the MLflow protocol on names, keys and values.
package enum Validation {
    /// A metric's, parameter's or tag's key: at most 250 characters that also make a relative path.
    ///
    /// - Parameter place: How an error names it: `metrics[0].name`.
    package static func key(_ key: String, _ what: String, at place: @autoclosure () -> String) throws(TrackingError) {
        guard !key.isEmpty else {
            throw TrackingError(.invalidParameter, "Missing value for required parameter '\(place())'. \(Self.seeDocs)")
        }
        guard key.unicodeScalars.count <= 250 else {
            throw TrackingError(.invalidParameter, "'\(what) name' exceeds the maximum length of 250 characters")
        }
        // Nearly all keys are plain words.
        if key.utf8.allSatisfy({ isWord($0) || $0 == UInt8(ascii: "-") }) { return }
        guard
            key.unicodeScalars.allSatisfy({
                $0.properties.isAlphabetic || $0.properties.numericType != nil || "_-. :/".unicodeScalars.contains($0)
            })
        else {
            throw TrackingError(
                .invalidParameter,
                "Invalid value \"\(shown(key))\" for parameter '\(place())' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
            )
        }
        guard isNormalisedPath(key) else {
            throw TrackingError(
                .invalidParameter,
                "Invalid value \"\(shown(key))\" for parameter '\(place())' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such."
            )
        }
    }

    package static let seeDocs = "See the API docs for more information about request parameters."

    static func isNormalisedPath(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }

    /// A value no longer than a limit in characters.
    package static func length(_ text: String, limit: Int, _ what: String) throws(TrackingError) {
        // The byte count bounds the character count, so short texts need no counting.
        guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return }
        throw TrackingError(.invalidParameter, "'\(what)' exceeds the maximum length of \(limit) characters")
    }

    /// - Returns: The parameter as it is stored: a long value loses its end, as clients expect of a server.
    package static func param(_ param: KeyValue, at place: @autoclosure () -> String = "key") throws(TrackingError) -> KeyValue {
        try key(param.key, "Param", at: place())
        return cut(param, 6_000)
    }

    /// - Returns: The tag as it is stored: a long value loses its end, as clients expect of a server.
    package static func tag(_ tag: KeyValue, at place: @autoclosure () -> String = "key") throws(TrackingError) -> KeyValue {
        try key(tag.key, "Tag", at: place())
        return cut(tag, 8_000)
    }

    /// Every pair of a list, with the place of each in the messages: `tags[3].key`.
    static func all(
        _ pairs: [KeyValue], _ name: String, _ check: (KeyValue, () -> String) throws(TrackingError) -> KeyValue
    ) throws(TrackingError) -> [KeyValue] {
        var checked: [KeyValue] = []
        checked.reserveCapacity(pairs.count)
        for (index, pair) in pairs.enumerated() { checked.append(try check(pair) { "\(name)[\(index)].key" }) }
        return checked
    }

    private static func cut(_ pair: KeyValue, _ limit: Int) -> KeyValue {
        guard pair.value.utf8.count > limit, pair.value.unicodeScalars.count > limit else { return pair }
        return KeyValue(pair.key, String(String.UnicodeScalarView(pair.value.unicodeScalars.prefix(limit))))
    }

    package static func metric(_ metric: Metric, at place: @autoclosure () -> String = "key") throws(TrackingError) {
        try key(metric.key, "Metric", at: place())
        guard metric.timestamp >= 0 else {
            throw TrackingError(
                .invalidParameter,
                "Invalid value \(metric.timestamp) for parameter 'timestamp' supplied: metric '\(metric.key)' (value=\(metric.value)). Timestamp must be a nonnegative long (64-bit integer) "
            )
        }
    }

    package static func experimentTag(_ tag: KeyValue) throws(TrackingError) {
        try key(tag.key, "Tag", at: "key")
        try length(tag.value, limit: 20_000, "Tag value")
    }

    package static func experimentName(_ name: String) throws(TrackingError) {
        guard !name.isEmpty else { throw TrackingError(.invalidParameter, "Invalid experiment name: ''. It must be a non-empty string.") }
        try length(name, limit: 500, "Experiment name")
    }

    package static func runID(_ id: String) throws(TrackingError) {
        guard isIdentifier(id, limit: 256) else { throw TrackingError(.invalidParameter, "Invalid run ID: '\(shown(id))'") }
    }

    package static func loggedModelID(_ id: String) throws(TrackingError) {
        guard isIdentifier(id, limit: 256) else { throw TrackingError(.invalidParameter, "Invalid model ID: '\(shown(id))'") }
    }

    /// - Returns: The number behind an experiment id.
    /// - Throws: `invalidParameter` for text that is no number, `doesNotExist` for an id that this store cannot have given.
    package static func experimentID(_ id: String) throws(TrackingError) -> Int64 {
        guard isIdentifier(id, limit: 64), id.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw TrackingError(.invalidParameter, "Invalid experiment ID '\(shown(id))'. Experiment ID must be a valid integer.")
        }
        guard let number = Int64(id), String(number) == id else {
            throw TrackingError(.doesNotExist, "No Experiment with id=\(id) exists")
        }
        return number
    }

    /// The experiments that a search looks in, without numbers that no experiment can have.
    static func searchedExperiments(_ ids: [String]) throws(TrackingError) -> [Int64] {
        for id in ids {
            let digits = id.utf8.first == UInt8(ascii: "-") ? id.utf8.dropFirst() : id.utf8[...]
            guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else {
                throw TrackingError(.invalidParameter, "Invalid experiment ID '\(shown(id))'. Experiment ID must be a valid integer.")
            }
        }
        return ids.compactMap { Int64($0) }
    }

    static func isIdentifier(_ text: String, limit: Int) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= limit, isWord(first), first != UInt8(ascii: "_") else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") }
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// A stranger's text at a length fit for a message.
    package static func shown(_ text: String) -> String { text.count > 250 ? text.prefix(247) + "..." : text }

    /// How many results a search may be asked for.
    package static func maxResults(_ asked: Int64?, default standard: Int, limit: Int) throws(TrackingError) -> Int {
        guard let asked else { return standard }
        guard asked >= 1, asked <= Int64(limit) else {
            let bound = asked < 1 ? "a positive integer" : "at most \(limit)"
            throw TrackingError(.invalidParameter, "Invalid value \(asked) for parameter 'max_results' supplied. It must be \(bound)")
        }
        return Int(asked)
    }
}
