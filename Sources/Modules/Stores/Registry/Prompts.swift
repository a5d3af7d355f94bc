package import Tracking

/// Prompts of the registry: registered models that carry a tag, and whose versions carry it too.
///
/// A version of a prompt is its text, in a tag; it has no files. Searches leave prompts out unless they ask for them.
package enum Prompts {
    static let tag = "mlflow.prompt.is_prompt"
    /// The text of a version.
    static let textTag = "mlflow.prompt.text"
    static let typeTag = "_mlflow_prompt_type"
    /// What clients state as the source of a version, which must state one.
    private static let sources: Set = ["dummy-source", "prompt-template"]

    /// Whether tags make a model or a version a prompt.
    package static func isPrompt(_ tags: [KeyValue]) -> Bool { tags.last { $0.key == tag }?.value.lowercased() == "true" }

    /// The tags that somebody chose.
    static func ownTags(_ tags: [KeyValue], besides hidden: Set<String>) -> [KeyValue] {
        tags.filter { $0.key != tag && !hidden.contains($0.key) }
    }

    /// - Throws: Unless the source is one of those that stand for none: nothing may be reached through a prompt.
    static func checkSource(_ source: String) throws(TrackingError) {
        guard sources.contains(source) else {
            throw TrackingError(
                .invalidParameter,
                "Invalid prompt source: '\(Validation.shown(source))'. Prompt sources must use an MLflow placeholder.")
        }
    }

    /// What a search means: whether prompts are left out, and the rest of its filter when they are.
    ///
    /// As MLflow's server reads it: a filter asks for prompts with the tag being `true`, or not being `false`. Any other
    /// comparison of the tag says no more than that they are not meant.
    /// - Parameter includes: Prompts are meant when the filter does not say.
    static func reading(_ filter: SearchFilter, includes: Bool) -> (filter: SearchFilter, leavesOut: Bool) {
        func isAbout(_ comparison: SearchFilter.Comparison) -> Bool {
            comparison.key == tag && ["tag", "tags"].contains(comparison.entity)
        }
        guard let first = filter.comparisons.first(where: isAbout) else { return (filter, !includes) }
        switch (first.op, first.literal) {
        case (.equal, .text(let text)) where text.lowercased() == "true": return (filter, false)
        case (.notEqual, .text(let text)) where text.lowercased() == "false": return (filter, false)
        default: return (SearchFilter(comparisons: filter.comparisons.filter { !isAbout($0) }), true)
        }
    }

    /// A condition that holds for what is no prompt.
    /// - Parameters:
    ///   - table: Of tags by `model`.
    ///   - name: The column with the model's name.
    static func none(in table: String, of name: String) -> String {
        "NOT EXISTS (SELECT 1 FROM \(table) p WHERE p.model = \(name) AND p.key = '\(tag)' AND p.value = 'true')"
    }
}
