import Expressions
import GRDB
import Synchronization

/// Regular expressions of searches, which take time in proportion to what they are held against.
enum SearchPattern {
    /// - Throws: `invalidParameter` for text that is no regular expression.
    static func check(_ text: String) throws(TrackingError) -> String {
        do throws(Pattern.Error) {
            _ = try Pattern(text)
            return text
        } catch {
            throw TrackingError(
                .invalidParameter,
                "Invalid regular expression '\(Validation.shown(text))': \(error.message) (at its character \(error.offset + 1))")
        }
    }

    /// What SQL calls for `value REGEXP pattern`; one per connection, which remembers the pattern it saw last.
    static func function() -> DatabaseFunction {
        let last = Mutex<(text: String, search: PatternSearch)?>(nil)
        return DatabaseFunction("regexp", argumentCount: 2, pure: true) { values in
            guard let pattern = String.fromDatabaseValue(values[0]), let text = String.fromDatabaseValue(values[1]) else { return nil }
            return last.withLock { last -> Bool in
                if last?.text != pattern {
                    guard let made = try? Pattern(pattern) else { return false }
                    last = (pattern, PatternSearch(made))
                }
                return last?.search.isFound(in: text) ?? false
            }
        }
    }
}
