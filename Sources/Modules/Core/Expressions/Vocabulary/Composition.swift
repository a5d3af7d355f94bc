import Foundation

extension Vocabulary {
    /// In Unicode's composed normal form, so that equal letters are equal bytes however they were typed.
    static func composed(_ text: String) -> String {
        text.utf8.allSatisfy { $0 < 128 } ? text : text.precomposedStringWithCanonicalMapping
    }
}
