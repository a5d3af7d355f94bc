import CXGBoost
import Learning

/// Owns an XGBoost model handle.
struct Booster: ~Copyable {
    private let handle: BoosterHandle

    /// - Parameter matrices: What it will be trained on; they must outlive it.
    init(_ matrices: [DMatrixHandle?] = []) throws(BoostingError) {
        var handle: BoosterHandle?
        try BoostingError.check(XGBoosterCreate(matrices, UInt64(matrices.count), &handle), "create a model")
        guard let handle else { throw BoostingError(.library, "create a model", "no handle") }
        self.handle = handle
    }

    deinit { XGBoosterFree(handle) }

    func set(_ name: String, _ value: String) throws(BoostingError) {
        try BoostingError.check(XGBoosterSetParam(handle, name, value), "set \(name) to \(value)")
    }

    func setFeatureNames(_ names: [String]) throws(BoostingError) {
        let texts = names.map { Array($0.utf8CString) }
        let joined = texts.flatMap(\.self)
        let status = joined.withUnsafeBufferPointer { buffer in
            var start = 0
            var pointers: [UnsafePointer<CChar>?] = []
            for text in texts {
                pointers.append(buffer.baseAddress.map { $0 + start })
                start += text.count
            }
            return XGBoosterSetStrFeatureInfo(handle, "feature_name", &pointers, UInt64(names.count))
        }
        try BoostingError.check(status, "name the features")
    }

    func update(round: Int, _ matrix: borrowing DenseMatrix) throws(BoostingError) {
        try BoostingError.check(XGBoosterUpdateOneIter(handle, Int32(round), matrix.handle), "train round \(round)")
    }

    /// The model as UBJSON.
    func save() throws(BoostingError) -> [UInt8] {
        var count: UInt64 = 0
        var bytes: UnsafePointer<CChar>?
        try BoostingError.check(XGBoosterSaveModelToBuffer(handle, #"{"format":"ubj"}"#, &count, &bytes), "save the model")
        // The buffer belongs to the library and lives until its next call.
        return UnsafeRawBufferPointer(start: bytes, count: Int(count)).map(\.self)
    }

    func load(_ model: [UInt8]) throws(BoostingError) {
        let status = model.withUnsafeBytes { XGBoosterLoadModelFromBuffer(handle, $0.baseAddress, UInt64($0.count)) }
        try BoostingError.check(status, "load the model")
    }

    func predict(_ matrix: borrowing DenseMatrix) throws(BoostingError) -> [Float] {
        let settings = #"{"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false}"#
        var shape: UnsafePointer<UInt64>?
        var dimensions: UInt64 = 0
        var result: UnsafePointer<Float>?
        try BoostingError.check(
            XGBoosterPredictFromDMatrix(handle, matrix.handle, settings, &shape, &dimensions, &result), "predict")
        let count = UnsafeBufferPointer(start: shape, count: Int(dimensions)).reduce(1, *)
        return Array(UnsafeBufferPointer(start: result, count: Int(count)))
    }
}

/// Owns an XGBoost data handle.
struct DenseMatrix: ~Copyable {
    let handle: DMatrixHandle

    /// - Parameter threads: 0 for as many as there are cores.
    init(_ matrix: BoostedTrees.Matrix, threads: Int) throws(BoostingError) {
        guard matrix.rows > 0, matrix.columns > 0, matrix.values.count == matrix.rows * matrix.columns else {
            throw BoostingError(
                .invalidInput, "read the matrix", "\(matrix.values.count) values for \(matrix.rows) rows of \(matrix.columns)")
        }
        var handle: DMatrixHandle?
        let status = XGDMatrixCreateFromMat_omp(
            matrix.values, UInt64(matrix.rows), UInt64(matrix.columns), .nan, &handle, Int32(threads))
        try BoostingError.check(status, "read the matrix")
        guard let handle else { throw BoostingError(.library, "read the matrix", "no handle") }
        self.handle = handle
    }

    deinit { XGDMatrixFree(handle) }

    func setLabels(_ labels: [Float]) throws(BoostingError) {
        try BoostingError.check(XGDMatrixSetFloatInfo(handle, "label", labels, UInt64(labels.count)), "set the labels")
    }
}
