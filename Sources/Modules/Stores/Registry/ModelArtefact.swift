package import Domain
package import Inference

/// A model as it lies in the artefact store: an MLflow model directory.
///
/// `MLmodel` and, for trees, `model.ubj` are what Python's mlflow and xgboost load. `pipeline.json` and `mlops.json` are what
/// this program loads: fitted transforms, and where the model comes from. `checksums.json` names the SHA-256 of every other
/// file; a file that differs is refused. `reference.parquet` is what drift is measured against.
package struct ModelArtefact: Sendable {
    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// A file is not what its checksum says.
        case damaged(path: String)
        case unreadable(path: String, reason: String)
        /// Neither our own flavour nor XGBoost's.
        case noFlavour

        package var description: String {
            switch self {
            case .damaged(let path): "\(path) of the model artefact differs from its checksum"
            case .unreadable(let path, let reason): "\(path) of the model artefact cannot be read: \(reason)"
            case .noFlavour: "the model artefact is neither of this program nor of XGBoost"
            }
        }
    }

    package static let mlmodelPath = "MLmodel"
    package static let metadataPath = "mlops.json"
    package static let pipelinePath = "pipeline.json"
    package static let treesPath = "model.ubj"
    package static let referencePath = "reference.parquet"
    package static let reportPath = "report.html"
    package static let examplePath = "input_example.json"
    package static let checksumsPath = "checksums.json"

    package let metadata: ModelArtefactMetadata
    package let model: Model
    /// `model.ubj`; `nil` for models that are not forests, and for models trained elsewhere.
    package let trees: [UInt8]?
    /// One value an input; empty without an example.
    package let example: [Value]

    /// - Parameters:
    ///   - trees: The library's own file of the forest, when the estimator is one.
    ///   - example: One value an input of the model, for `input_example.json`.
    package init(metadata: ModelArtefactMetadata, model: Model, trees: [UInt8]?, example: [Value] = []) {
        self.metadata = metadata
        self.model = model
        self.trees = trees
        self.example = example.count == model.inputs.count ? example : []
    }
}
