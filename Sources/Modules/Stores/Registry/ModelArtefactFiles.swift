import Columnar
import Domain
import Foundation
import Inference
package import Table

extension ModelArtefact {
    /// The directory as paths and bytes, `checksums.json` last: whoever finds that one finds the others.
    ///
    /// Blocks while the reference is compressed.
    /// - Parameters:
    ///   - reference: Inputs, predictions and truths of training rows.
    ///   - report: A self-contained page.
    package func files(reference: Table?, report: [UInt8]?) throws -> [(path: String, bytes: [UInt8])] {
        var files: [(path: String, bytes: [UInt8])] = [
            (Self.metadataPath, try metadata.encoded()), (Self.pipelinePath, try PipelineFile(model).encoded()),
        ]
        if let trees { files.append((Self.treesPath, trees)) }
        if !example.isEmpty { files.append((Self.examplePath, exampleJSON)) }
        if let reference { files.append((Self.referencePath, try ParquetWriter.bytes(of: reference, named: Self.referencePath))) }
        if let report { files.append((Self.reportPath, report)) }
        files.append((Self.mlmodelPath, Array(ArtefactMLmodel(self, bytes: files.reduce(0) { $0 + $1.bytes.count }).text.utf8)))
        let checksums = Dictionary(uniqueKeysWithValues: files.map { ($0.path, ContentHash(of: $0.bytes).hex) })
        files.append((Self.checksumsPath, try Self.json(checksums)))
        return files
    }

    /// A data frame of one row in the split form of pandas, as mlflow stores examples.
    private var exampleJSON: [UInt8] {
        var bytes = Array(#"{"columns":"#.utf8)
        bytes += JSONText.array(model.inputs.map { .string($0.name) })
        bytes += Array(#","data":["#.utf8)
        bytes += JSONText.array(example)
        return bytes + Array("]}".utf8)
    }

    /// Reads a model back: our own flavour, or XGBoost's as the mlflow client logs it.
    ///
    /// The reference is not read; see ``reference(_:)``.
    /// - Parameter fetch: The bytes at a path inside the directory. Its errors pass through.
    package static func read(_ fetch: (String) async throws -> [UInt8]) async throws -> ModelArtefact {
        let mlmodel = ArtefactMLmodel.Summary(String(decoding: try await fetch(mlmodelPath), as: UTF8.self))
        guard mlmodel.isOurs else {
            guard let data = mlmodel.xgboostData else { throw Error.noFlavour }
            let trees = try await fetch(data)
            let model = try Model(BoostedModel(bytes: trees))
            return ModelArtefact(metadata: ModelArtefactMetadata(foreign: "xgboost", run: mlmodel.run ?? ""), model: model, trees: trees)
        }
        let checksums = try checksums(try await fetch(checksumsPath))
        func verified(_ path: String) async throws -> [UInt8] {
            let bytes = try await fetch(path)
            guard checksums[path] == ContentHash(of: bytes).hex else { throw Error.damaged(path: path) }
            return bytes
        }
        let metadata = try ModelArtefactMetadata(bytes: try await verified(metadataPath))
        let pipeline = try PipelineFile(bytes: try await verified(pipelinePath))
        let trees = pipeline.needsTrees ? try await verified(treesPath) : nil
        let model = try pipeline.model(trees: try trees.map { bytes throws(BoostedModel.Error) in try BoostedModel(bytes: bytes) })
        return ModelArtefact(metadata: metadata, model: model, trees: trees)
    }

    /// The sample of training rows that drift is measured against; `nil` when the artefact has none. Blocks while it decodes.
    package static func reference(_ fetch: (String) async throws -> [UInt8]) async throws -> Table? {
        guard ArtefactMLmodel.Summary(String(decoding: try await fetch(mlmodelPath), as: UTF8.self)).isOurs else { return nil }
        guard let wanted = try checksums(try await fetch(checksumsPath))[referencePath] else { return nil }
        let bytes = try await fetch(referencePath)
        guard wanted == ContentHash(of: bytes).hex else { throw Error.damaged(path: referencePath) }
        return try ParquetReader(bytes: bytes, named: referencePath).readAll()
    }

    private static func checksums(_ bytes: [UInt8]) throws(Error) -> [String: String] {
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(bytes))
        } catch {
            throw .unreadable(path: checksumsPath, reason: String(describing: error))
        }
    }
}
