/// What is wrong with an expression, and where in its text.
package struct ExpressionError: Error, Equatable, CustomStringConvertible {
    /// A sentence for the author of the expression, without the place.
    package let message: String
    /// Position in the text, in Unicode scalars from 0.
    package let offset: Int
    /// Whether the expression only refers to a column that is wrong itself; such an error adds nothing for the reader.
    package let isConsequence: Bool

    package init(_ message: String, at offset: Int, isConsequence: Bool = false) {
        self.message = message
        self.offset = offset
        self.isConsequence = isConsequence
    }

    package var description: String { "\(message) (at character \(offset + 1))" }
}
