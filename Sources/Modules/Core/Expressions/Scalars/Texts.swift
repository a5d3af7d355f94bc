import Domain

extension ScalarFunction {
    /// Functions of text.
    static let texts: [ScalarFunction] = [
        text("lower(text)", "In lower case.") { $0.lowercased() },
        text("upper(text)", "In upper case.") { $0.uppercased() },
        text("trim(text)", "Without white space at both ends.") { text in
            let scalars = text.unicodeScalars
            guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
                let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
            else { return "" }
            return String(scalars[first...last])
        },
        concat, hash,
    ]

    private static func text(_ usage: String, _ summary: String, _ body: @escaping @Sendable (String) -> String) -> ScalarFunction {
        ScalarFunction(usage, summary) { types throws(Mismatch) in
            try require(types[0], .string, argument: 0)
            return Resolution(arguments: [.string], result: .string) { arguments, _, _ in
                Vector(strings: arguments[0].strings.map(body), nulls: arguments[0].nulls)
            }
        }
    }

    private static let concat = ScalarFunction(
        "concat(a, b, …)", "The arguments as text, one after the other; null when one is null.", arity: 1...32
    ) { types throws(Mismatch) in
        Resolution(arguments: types.map { $0 ?? .string }, result: .string) { arguments, count, _ in
            let nulls = Vector.anyNull(arguments)
            var result = [String](repeating: "", count: count)
            for row in 0..<count where !(nulls?[row] ?? false) {
                for argument in arguments { result[row] += written(argument[row]) }
            }
            return Vector(strings: result, nulls: nulls)
        }
    }

    /// A value as text: numbers as in a record, times in ISO 8601.
    private static func written(_ value: Value) -> String {
        switch value {
        case .null: ""
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .double(let value): value == 0 ? "0.0" : "\(value)"
        case .string(let value): value
        case .time(let value): EventTime.format(value)
        }
    }

    private static let hash = ScalarFunction(
        "hash(x, buckets)", "A number that only the value decides; with a second argument one of 0 ..< buckets.", arity: 1...2
    ) { types throws(Mismatch) in
        if types.count == 2 { try require(types[1], .int, argument: 1) }
        let first = types[0] ?? .string
        return Resolution(arguments: types.count == 2 ? [first, .int] : [first], result: .int) { arguments, count, _ in
            let buckets = arguments.count == 2 ? arguments[1].ints : nil
            var nulls = Vector.anyNull(arguments) ?? [Bool](repeating: false, count: count)
            var result = [Int64](repeating: 0, count: count)
            for row in 0..<count where !nulls[row] {
                let hash = digest(written(arguments[0][row]))
                guard let buckets else {
                    result[row] = Int64(bitPattern: hash)
                    continue
                }
                if buckets[row] > 0 { result[row] = Int64(hash % UInt64(buckets[row])) } else { nulls[row] = true }
            }
            return Vector(ints: result, nulls: nulls.contains(true) ? nulls : nil)
        }
    }

    /// FNV-1a over the UTF-8, then a mixer, because the low bits of FNV alone are poor.
    ///
    /// Sources: <https://datatracker.ietf.org/doc/draft-eastlake-fnv/>; D. Stafford's variant 13 of the MurmurHash3 finaliser.
    static func digest(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
