import Domain
import Foundation

/// `pipeline.json` of a model artefact: everything of a model but the trees, which stay in the library's own file.
///
/// The schema is versioned: a reader refuses a version it does not know instead of guessing.
package struct PipelineFile: Codable, Sendable {
    package static var schema: String { "mlops-pipeline/1" }

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        case unreadable(String)
        case unknownSchema(String)
        case invalid(String)

        package var description: String {
            switch self {
            case .unreadable(let reason): "pipeline.json cannot be read: \(reason)"
            case .unknownSchema(let found): "pipeline.json has schema \"\(found)\", this program reads \"\(PipelineFile.schema)\""
            case .invalid(let reason): "pipeline.json is damaged: \(reason)"
            }
        }
    }

    private struct Step: Codable {
        var column: String
        /// `numeric` or `one_hot`.
        var kind: String
        var fill: Double?
        var mean: Double?
        var deviation: Double?
        var fillCategory: String?
        var categories: [String]?

        enum CodingKeys: String, CodingKey {
            case column, kind, fill, mean, deviation, categories
            case fillCategory = "fill_category"
        }
    }

    private struct Estimator: Codable {
        /// `boosted`, `linear`, `current` or `mean`.
        var kind: String
        var weights: [Double]?
        var intercept: Double?
        var column: Int?
        var value: Double?
    }

    private let schema: String
    private let inputs: [Model.Input]
    private let steps: [Step]
    private let estimator: Estimator

    package init(_ model: Model) {
        schema = Self.schema
        inputs = model.inputs
        steps = model.pipeline.steps.map { step in
            switch step {
            case .numeric(let column, let imputer, let scaler):
                Step(column: column, kind: "numeric", fill: imputer?.fill, mean: scaler?.mean, deviation: scaler?.deviation)
            case .categorical(let column, let imputer, let encoder):
                Step(column: column, kind: "one_hot", fillCategory: imputer.fill, categories: encoder.categories)
            }
        }
        estimator =
            switch model.estimator {
            case .boosted: Estimator(kind: "boosted")
            case .linear(let model): Estimator(kind: "linear", weights: model.weights, intercept: model.intercept)
            case .current(let column): Estimator(kind: "current", column: column)
            case .mean(let value): Estimator(kind: "mean", value: value)
            }
    }

    /// Whether the estimator lies in `model.ubj`.
    package var needsTrees: Bool { estimator.kind == "boosted" }

    package init(bytes: [UInt8]) throws(Error) {
        let file: PipelineFile
        do {
            file = try JSONDecoder().decode(PipelineFile.self, from: Data(bytes))
        } catch {
            throw .unreadable(String(describing: error))
        }
        guard file.schema == Self.schema else { throw .unknownSchema(file.schema) }
        self = file
    }

    /// Sorted keys and shortest doubles, so equal models give equal bytes.
    package func encoded() throws(Error) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(self))
        } catch {
            throw .invalid(String(describing: error))
        }
    }

    /// The model; `trees` is the content of `model.ubj`, if the artefact has one.
    package func model(trees: BoostedModel?) throws(Error) -> Model {
        var pipeline: [Pipeline.Step] = []
        for step in steps { pipeline.append(try Self.step(step)) }
        do throws(Model.Error) {
            return try Model(inputs: inputs, pipeline: Pipeline(steps: pipeline), estimator: try estimator(trees))
        } catch {
            if case .mismatch(let reason) = error { throw .invalid(reason) }
            throw .invalid(error.description)
        }
    }

    private static func step(_ step: Step) throws(Error) -> Pipeline.Step {
        switch step.kind {
        case "numeric":
            var scaler: StandardScaler?
            if let mean = step.mean, let deviation = step.deviation {
                guard deviation > 0 else { throw .invalid("deviation \(deviation) of column \"\(step.column)\"") }
                scaler = StandardScaler(mean: mean, deviation: deviation)
            }
            return .numeric(column: step.column, imputer: step.fill.map { NumericImputer(fill: $0) }, scaler: scaler)
        case "one_hot":
            guard let fill = step.fillCategory, let categories = step.categories, Set(categories).count == categories.count else {
                throw .invalid("the categories of column \"\(step.column)\"")
            }
            return .categorical(
                column: step.column, imputer: CategoricalImputer(fill: fill), encoder: OneHotEncoder(categories: categories))
        default: throw .invalid("step kind \"\(step.kind)\"")
        }
    }

    private func estimator(_ trees: BoostedModel?) throws(Model.Error) -> Model.Estimator {
        switch (estimator.kind, estimator.weights, estimator.intercept, estimator.column, estimator.value) {
        case ("boosted", _, _, _, _):
            guard let trees else { throw .mismatch("model.ubj is missing") }
            return .boosted(trees)
        case ("linear", let weights?, let intercept?, _, _): return .linear(LinearModel(weights: weights, intercept: intercept))
        case ("current", _, _, let column?, _): return .current(column: column)
        case ("mean", _, _, _, let value?): return .mean(value)
        default: throw .mismatch("estimator \"\(estimator.kind)\"")
        }
    }
}
