import Domain
import HTTPTypes
import Web

/// A refusal in the words and the form of Feast's feature server: a JSON string, for its own errors of a JSON object.
struct FeastFailure: Error, Equatable {
    let status: HTTPResponse.Status
    /// Feast's class of the error; `nil` for one that is told by its message alone.
    let type: String?
    let message: String

    static func noView(_ name: String, project: String) -> FeastFailure {
        FeastFailure(
            status: .notFound, type: "FeatureViewNotFoundException", message: "Feature view \(name) does not exist in project \(project)")
    }

    static func noService(_ name: String, project: String) -> FeastFailure {
        FeastFailure(
            status: .notFound, type: "FeatureServiceNotFoundException",
            message: "Feature service \(name) does not exist in project \(project)")
    }

    static func collision(_ name: String) -> FeastFailure {
        FeastFailure(
            status: .unprocessableContent, type: "FeatureNameCollisionError",
            message: "Duplicate features named \(name) found.\nTo resolve this collision, either use the full feature name by setting "
                + "'full_feature_names=True', or ensure that the features in question have different names.")
    }

    static func noPushSource(_ name: String, known: [String]) -> FeastFailure {
        FeastFailure(
            status: .unprocessableContent, type: "PushSourceNotFoundException",
            message: "Unable to find push source '\(name)'." + SpellingSuggestion.hint(for: name, among: known))
    }

    /// What the caller must change.
    static func invalid(_ message: String) -> FeastFailure { FeastFailure(status: .unprocessableContent, type: nil, message: message) }

    var body: [UInt8] {
        guard let type else { return Self.text(message) }
        let module = Self.text("feast.errors"), name = Self.text(type), message = Self.text(message)
        let object = "{\"module\": ".utf8 + module + ", \"class\": ".utf8 + name + ", \"message\": ".utf8 + message + "}".utf8
        return Self.text(String(decoding: object, as: UTF8.self))
    }

    private static func text(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        JSONText.append(text, to: &bytes)
        return bytes
    }
}
