/// A value of a configuration file together with where it stands, so that every complaint can name its place.
package struct SourceNode: Sendable, Equatable {
    /// Line and column, both from 1.
    package struct Position: Sendable, Hashable, Comparable {
        package let line: Int
        package let column: Int

        package init(line: Int, column: Int) {
            self.line = line
            self.column = column
        }

        package static func < (a: Position, b: Position) -> Bool { (a.line, a.column) < (b.line, b.column) }
    }

    package struct Entry: Sendable, Equatable {
        package let key: String
        package let keyPosition: Position
        package let value: SourceNode

        package init(key: String, keyPosition: Position, value: SourceNode) {
            self.key = key
            self.keyPosition = keyPosition
            self.value = value
        }
    }

    package indirect enum Content: Sendable, Equatable {
        /// Text as written; `isQuoted` tells `"1"` from `1`.
        case scalar(String, isQuoted: Bool)
        case list([SourceNode])
        /// In file order; the reader of the format has refused duplicate keys.
        case map([Entry])
    }

    package let content: Content
    package let position: Position

    package init(_ content: Content, at position: Position) {
        self.content = content
        self.position = position
    }
}
