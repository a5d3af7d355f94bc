/// What registered model versions refer to: it stays as long as they do, whatever becomes of runs and logged models.
package enum RegistryReferences {
    /// SQL that is true when a version's run, logged model or files are those of a run or logged model.
    ///
    /// - Parameters:
    ///   - id: The column of its id.
    ///   - place: The column of its artefact URI.
    package static func sql(id: String, place: String) -> String {
        """
        (EXISTS (SELECT 1 FROM model_versions WHERE run = \(id) OR logged_model = \(id))
         OR \(lies(in: place)) OR \(lies(in: "'runs:/' || \(id)")) OR EXISTS (SELECT 1 FROM model_versions WHERE source = 'models:/' || \(id)))
        """
    }

    /// A range of the index of sources, as `0` follows `/`: the place itself, and what is in it.
    private static func lies(in place: String) -> String {
        """
        EXISTS (SELECT 1 FROM model_versions WHERE source = \(place))
        OR EXISTS (SELECT 1 FROM model_versions WHERE source > \(place) || '/' AND source < \(place) || '0')
        """
    }
}
