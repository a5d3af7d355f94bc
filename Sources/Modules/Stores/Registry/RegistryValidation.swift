package import Tracking
import Web

/// The limits of the MLflow protocol on the registry's names.
package enum RegistryValidation {
    package static func modelName(_ name: String) throws(TrackingError) {
        guard !name.isEmpty else { throw TrackingError(.invalidParameter, "Registered model name cannot be empty.") }
        guard !name.contains("/"), !name.contains(":"), name != ".", name != "..", !name.utf8.contains(0) else {
            throw TrackingError(
                .invalidParameter,
                "Invalid model name: '\(Validation.shown(name))'. It cannot contain '/' or ':' and cannot be '.' or '..'.")
        }
        try Validation.length(name, limit: 256, "Registered model name")
    }

    /// What a person writes about a model or a version.
    static func description(_ text: String) throws(TrackingError) { try Validation.length(text, limit: 100_000, "Description") }

    package static func tag(_ tag: KeyValue, _ what: String) throws(TrackingError) {
        try Validation.key(tag.key, what, at: "key")
        try Validation.length(tag.value, limit: 100_000, "\(what) value")
    }

    /// Letters, digits, `_` and `-`; `latest` and `v12` mean something else to clients.
    package static func alias(_ alias: String) throws(TrackingError) {
        guard !alias.isEmpty else { throw TrackingError(.invalidParameter, "Registered model alias name cannot be empty.") }
        try Validation.length(alias, limit: 255, "Registered model alias name")
        guard alias.unicodeScalars.allSatisfy({ $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "_" || $0 == "-" })
        else {
            throw TrackingError(
                .invalidParameter,
                "Invalid alias name: '\(alias)'. Names may only contain alphanumerics, underscores (_), and dashes (-).")
        }
        guard alias.lowercased() != "latest" else {
            throw TrackingError(.invalidParameter, "'latest' alias name (case insensitive) is reserved.")
        }
        let digits = alias.dropFirst()
        guard !(alias.first.map { "vV".contains($0) } ?? false && !digits.isEmpty && digits.allSatisfy(\.isWholeNumber)) else {
            throw TrackingError(.invalidParameter, "Version alias name '\(alias)' is reserved.")
        }
    }

    /// - Returns: The number of a version.
    package static func number(_ version: String) throws(TrackingError) -> Int {
        guard let number = Int(version), number > 0, number < 1 << 53 else {
            throw TrackingError(
                .invalidParameter, "Parameter 'version' must be an integer, got '\(Validation.shown(version))'.")
        }
        return number
    }

    package static let stages = ["None", "Staging", "Production", "Archived"]

    package static func stage(_ text: String) throws(TrackingError) -> String {
        guard let stage = stages.first(where: { $0.lowercased() == text.lowercased() }) else {
            throw TrackingError(
                .invalidParameter,
                "Invalid Model Version stage: \(Validation.shown(text)). Value must be one of \(stages.joined(separator: ", ")).")
        }
        return stage
    }

    private static let absolute =
        "If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path."

    /// A source that leads nowhere but into this server's artefacts or to a place the server will never open.
    ///
    /// Local paths are refused: nothing may make the server read a file of its own machine. Web addresses are refused too: a
    /// client that loads such a version would fetch whatever the address says.
    package static func source(_ source: String, run: String) throws(TrackingError) {
        func refuse(_ why: String) -> TrackingError {
            TrackingError(.invalidParameter, "Invalid model version source: '\(Validation.shown(source))'. \(why)")
        }
        try Validation.length(source, limit: 2_048, "Model version source")
        guard let colon = source.firstIndex(of: ":"), !source.lowercased().hasPrefix("file:") else {
            throw refuse(
                "To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id."
            )
        }
        let scheme = source[..<colon]
        guard scheme.utf8.count > 1, scheme.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") })
        else {
            throw refuse(Self.absolute)
        }
        guard !["http", "https", "ftp"].contains(scheme.lowercased()) else {
            throw refuse("The scheme '\(scheme)' leads to another host; log the model's files to a run.")
        }
        // An escape may hide another escape.
        var decoded = source
        for _ in 0..<4 {
            guard let next = URLText.decode(decoded) else { throw refuse("It has a broken escape.") }
            if next == decoded { break }
            decoded = next
        }
        guard !decoded.utf8.contains(0), !decoded.contains("\\"), !decoded.split(whereSeparator: { "/?#".contains($0) }).contains("..")
        else {
            throw refuse(Self.absolute)
        }
        if source.hasPrefix(TrackingStore.artifactScheme), decoded.contains(where: { "?#".contains($0) }) {
            throw refuse(Self.absolute)
        }
        if source.hasPrefix("runs:/"), !run.isEmpty {
            let named = source.dropFirst(6).split(separator: "/").first.map(String.init)
            guard named == run else { throw refuse("It names another run than run_id '\(Validation.shown(run))'.") }
        }
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool { (48...57).contains(self) || (65...90).contains(self) || (97...122).contains(self) }
}
