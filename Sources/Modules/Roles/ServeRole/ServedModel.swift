package import Domain
import Features
package import Inference
import Synchronization

/// What a registry entry turns into once its artefact has been read.
package struct LoadedModel: Sendable {
    package let model: Model
    /// What each input meant when the model was trained, as hexadecimal hashes; empty for a model trained elsewhere.
    package let definitionHashes: [String: String]
    /// How far ahead it predicts, milliseconds.
    package let horizon: EventTime.Milliseconds

    package init(model: Model, definitionHashes: [String: String], horizon: EventTime.Milliseconds) {
        self.model = model
        self.definitionHashes = definitionHashes
        self.horizon = horizon
    }
}

/// Where the inputs of a model stand in the rows of the view that feeds it.
package struct FeatureBinding: Sendable, Equatable {
    /// Per model input, the position of its column in the view's rows.
    package let positions: [Int]
    /// Inputs that the view does not have or computes differently from when the model was trained; looked-up features
    /// must not be used when there are any.
    package let mismatched: [String]

    /// - Parameters:
    ///   - columns: All columns of the view's rows, in order.
    ///   - current: What the view's columns mean now.
    package init(_ loaded: LoadedModel, columns: [String], current: [String: ContentHash]) {
        var positions: [Int] = [], mismatched: [String] = []
        for input in loaded.model.inputs {
            let position = columns.firstIndex(of: input.name)
            positions.append(position ?? 0)
            let trained = loaded.definitionHashes[input.name]
            if position == nil || (trained != nil && trained != current[input.name]?.hex) { mismatched.append(input.name) }
        }
        self.positions = positions
        self.mismatched = mismatched
    }

    /// The model's inputs from a row of the view.
    package func inputs(of row: [Value]) -> [Value] { positions.map { row[$0] } }
}

/// A version that answers requests.
package struct ServedModel: Sendable {
    package let version: ModelVersion
    /// The alias it was found under: the wanted one, or `baseline` while there is none.
    package let alias: String
    package let loaded: LoadedModel
    package let binding: FeatureBinding

    package init(version: ModelVersion, alias: String, loaded: LoadedModel, binding: FeatureBinding) {
        self.version = version
        self.alias = alias
        self.loaded = loaded
        self.binding = binding
    }

    package var model: Model { loaded.model }
    package var number: String { String(version.number) }
}

/// The place from which requests take the model: a swap is one store, and who has taken the old one finishes with it.
package final class ModelSlot: Sendable {
    package let name: String
    private let state = Mutex<ServedModel?>(nil)

    package init(name: String) { self.name = name }

    /// `nil` until the first model has been loaded.
    package var current: ServedModel? { state.withLock { $0 } }

    package func put(_ model: ServedModel) { state.withLock { $0 = model } }
}

/// Where models come from; the tracking server in production.
package struct ModelSource: Sendable {
    /// The version that an alias of a model points to; `nil` when there is no such alias or model.
    package let resolve: @Sendable (_ model: String, _ alias: String) async throws -> ModelVersion?
    package let load: @Sendable (ModelVersion) async throws -> LoadedModel

    package init(
        resolve: @escaping @Sendable (_ model: String, _ alias: String) async throws -> ModelVersion?,
        load: @escaping @Sendable (ModelVersion) async throws -> LoadedModel
    ) {
        self.resolve = resolve
        self.load = load
    }
}
