import Domain
import Table

/// Which rows of one partition of a topic count, when a rebuild has computed them anew behind the old ones.
///
/// A rebuild writes its rows from ``next`` on. Until it is done those before ``until`` count; then, at once, those from ``first``
/// on, and the ones before ``news`` are history computed anew, not news.
package struct Generation: Sendable, Equatable {
    /// The first row that counts.
    package var first: Int64 = 0
    /// Where the rebuild under way has begun to write; `nil` when there is none.
    package var next: Int64?
    /// The first row that does not count while a rebuild is under way.
    package var until: Int64?
    /// The first row that the last rebuild did not write.
    package var news: Int64 = 0

    package init() {}

    package func counts(_ offset: Int64) -> Bool { offset >= first && offset < until ?? .max }

    /// Where somebody goes on who follows the rows and has come up to `position`: over what has been superseded, and over what he
    /// has seen in its older form. Who has seen nothing at all takes the history.
    package func position(after position: Int64) -> Int64 {
        guard first > 0, position <= first else { return position }
        return position == 0 ? first : max(first, news)
    }

    /// A rebuild begins to write at `end`.
    package func begun(at end: Int64) -> Generation {
        var generation = self
        generation.next = end
        generation.until = until ?? end
        return generation
    }

    /// The rebuild is done; its last row is before `end`.
    package func done(at end: Int64) -> Generation {
        var generation = Generation()
        generation.first = next ?? first
        generation.news = end
        return generation
    }

    // MARK: Records

    package var json: [UInt8] {
        func value(_ number: Int64?) -> Value { number.map { .int($0) } ?? .null }
        return JSONText.object([("first", .int(first)), ("next", value(next)), ("until", value(until)), ("news", .int(news))])
    }

    /// - Returns: `nil` for bytes that say no generation.
    package init?(_ bytes: [UInt8]) {
        let names = ["first", "next", "until", "news"]
        var decoder = RowDecoder(fields: names.map { RowDecoder.Field($0, .int, isOptional: true) })
        guard (try? bytes.withUnsafeBytes({ try decoder.append($0) })) != nil else { return nil }
        let numbers = decoder.finish().map { column -> Int64? in if case .int(let number) = column[0] { number } else { nil } }
        guard let first = numbers[0], let news = numbers[3] else { return nil }
        self.init()
        self.first = first
        next = numbers[1]
        until = numbers[2]
        self.news = news
    }
}
