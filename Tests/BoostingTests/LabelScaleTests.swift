import Domain
import Learning
import Testing

@testable import Boosting
@testable import Inference

@Suite struct LabelScaleTests {
    /// 2,000 rows of four columns in [0, 1), and y = 10·a − 4·b·c + noise in steps of 1/16, so that y + 1e6 is exact in
    /// single precision.
    private static let sample: (matrix: BoostedTrees.Matrix, labels: [Float]) = {
        var random = RandomSource(seed: 11)
        var values: [Float] = [], labels: [Float] = []
        for _ in 0..<2_000 {
            let row = (0..<4).map { _ in Float(random.uniform()) }
            values += row
            labels.append(((10 * row[0] - 4 * row[1] * row[2] + row[3] / 2) * 16).rounded() / 16)
        }
        return (BoostedTrees.Matrix(values: values, rows: 2_000, columns: 4, names: ["a", "b", "c", "d"]), labels)
    }()

    private let parameters = BoostedTrees.Parameters(maxDepth: 5, eta: 0.2, rounds: 60, other: ["subsample": 0.8], seed: 3)

    private func fit(_ labels: [Float], other: [String: Double]? = nil) throws -> [UInt8] {
        var parameters = parameters
        if let other { parameters.other = other }
        return try Boosting.fit(Self.sample.matrix, labels, parameters)
    }

    private func predict(_ model: [UInt8]) throws -> [Float] { try Boosting.predict(model, Self.sample.matrix) }

    private func meanError(_ model: [UInt8], _ labels: [Float]) throws -> Double {
        zip(try predict(model), labels).reduce(0.0) { $0 + abs(Double($1.0) - Double($1.1)) } / Double(labels.count)
    }

    /// Powers of two, so that the labels themselves are the same but for their unit.
    @Test(arguments: [0x1p-10, 0x1p-20, 0x1p-70, 0x1p66] as [Float])
    func `labels in another unit give the same trees with leaves in that unit`(unit: Float) throws {
        let labels = Self.sample.labels
        let model = try BoostedModel(bytes: fit(labels)), scaled = try BoostedModel(bytes: fit(labels.map { $0 * unit }))
        #expect(model.nodes.count > 1_000)
        #expect(model.roots == scaled.roots)
        #expect(model.nodes.map(\.left) == scaled.nodes.map(\.left))
        #expect(model.nodes.map(\.feature) == scaled.nodes.map(\.feature))
        #expect(model.nodes.map { $0.left == 0 ? $0.value * unit : $0.value } == scaled.nodes.map(\.value))
    }

    @Test(arguments: [1e-6, 1e-20, 1e20] as [Float])
    func `errors are in the unit of the labels`(unit: Float) throws {
        let labels = Self.sample.labels, scaled = labels.map { $0 * unit }
        let error = try meanError(fit(labels), labels)
        #expect(error < 0.2)
        // Rounding the labels decides between splits of equal gain, so the trees need not be the same.
        let scaledError = try meanError(fit(scaled), scaled) / Double(unit)
        #expect(abs(scaledError / error - 1) < 0.05)
    }

    @Test func `labels far from zero give the same trees, and predictions as fine as single precision is there`() throws {
        let (bytes, farBytes) = (try fit(Self.sample.labels), try fit(Self.sample.labels.map { $0 + 1e6 }))
        let (model, far) = (try BoostedModel(bytes: bytes), try BoostedModel(bytes: farBytes))
        #expect(model.nodes.map(\.left) == far.nodes.map(\.left))
        #expect(model.nodes.map(\.feature) == far.nodes.map(\.feature))
        #expect(zip(model.nodes, far.nodes).allSatisfy { abs($0.value - $1.value) < 1e-5 })
        let step = Float(1e6).ulp
        for (near, far) in zip(try predict(bytes), try predict(farBytes)) {
            #expect(abs(Double(far) - 1e6 - Double(near)) <= Double(step) * Double(parameters.rounds + 1) / 2)
        }
    }

    @Test func `prices of a thousandth are learned`() throws {
        let labels = Self.sample.labels.map { 1.4e-3 + $0 * 1e-6 }
        #expect(try meanError(fit(labels), labels) < 0.2e-6)
    }

    @Test(arguments: [(1, 0), (1e-6, 0), (3e-5, 1.4e-3), (250, 6e4), (1e30, -1e30)] as [(Float, Float)])
    func `the model predicts mean plus deviation times what the standardised model predicts`(unit: Float, shift: Float) throws {
        let labels = Self.sample.labels.map { $0 * unit + shift }
        let scale = LabelScale(labels)
        var standardised = parameters
        standardised.other["base_score"] = 0
        let grown = try Boosting.grow(
            Self.sample.matrix, labels.map { Float(scale.standardised(Double($0))) }, standardised, threads: 1)
        let magnitude = abs(scale.mean) + 4 * scale.deviation
        for (z, prediction) in zip(try predict(grown), try predict(scale.restored(grown, startingAt: scale.mean))) {
            // Half a unit in the last place for each sum, and one for the text of the mean.
            let rounding = magnitude * Double(Float.ulpOfOne) * Double(parameters.rounds + 4) / 2
            #expect(abs(Double(prediction) - (scale.mean + scale.deviation * Double(z))) < rounding)
        }
        #expect(try fit(labels) == scale.restored(grown, startingAt: scale.mean))
    }

    @Test func `outputs of all nodes are rescaled and every other byte but the start stays`() throws {
        var standardised = parameters
        standardised.other["base_score"] = 0
        let labels = Self.sample.labels.map { $0 / 8 }
        let grown = try Boosting.grow(Self.sample.matrix, labels, standardised, threads: 1)
        let scale = LabelScale([-0.25, 0.25])  // deviation 1/4
        let restored = try scale.restored(grown, startingAt: 1_234.5)
        var expected = grown
        let places = try ModelPlaces(grown)
        func divideByFour(at place: Int) {
            let word = expected[place..<place + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let quarter = (Float(bitPattern: word) / 4).bitPattern
            expected.replaceSubrange(place..<place + 4, with: (0..<4).map { UInt8(truncatingIfNeeded: quarter >> UInt32(24 - 8 * $0)) })
        }
        #expect(places.trees.count == parameters.rounds)
        for tree in places.trees {
            for node in 0..<tree.nodeCount {
                divideByFour(at: tree.weights + 4 * node)
                let isLeaf = grown[tree.leftChildren + 4 * node..<tree.leftChildren + 4 * node + 4].allSatisfy { $0 == 0xFF }
                if isLeaf { divideByFour(at: tree.conditions + 4 * node) }
            }
        }
        expected.replaceSubrange(places.start, with: Array("SL\0\0\0\0\0\0\0\u{6}1234.5".utf8))
        #expect(restored == expected)
    }

    @Test(arguments: [(1, 0), (1e-6, 0), (3e-5, 1.4e-3), (250, 6e4), (1, 1e6), (1e30, -1e30)] as [(Float, Float)])
    func `our evaluator agrees with the library on the rewritten model`(unit: Float, shift: Float) throws {
        let model = try fit(Self.sample.labels.map { $0 * unit + shift })
        let own = try BoostedModel(bytes: model).predict(matrix: Self.sample.matrix.values, rows: Self.sample.matrix.rows)
        for (own, library) in zip(own, try predict(model)) { #expect(abs(own - library) <= 1e-6 * abs(library)) }
    }

    @Test(arguments: [0, 0.1, -7, 1e-30, 1e30] as [Float])
    func `constant labels are predicted as they are`(label: Float) throws {
        let model = try fit([Float](repeating: label, count: 2_000))
        #expect(LabelScale([Float](repeating: label, count: 2_000)) == LabelScale([label]))
        #expect(try predict(model).allSatisfy { abs($0 - label) <= label.ulp })
        #expect(try BoostedModel(bytes: model).predict(row: [0, 0, 0, 0]) == [label])
    }

    @Test func `the same seed gives the same bytes in any unit`() throws {
        let labels = Self.sample.labels.map { 1.4e-3 + $0 * 1e-6 }
        #expect(try fit(labels) == fit(labels))
    }

    @Test func `the start may be given, in the unit of the labels`() throws {
        var other = parameters
        other.other["base_score"] = 5e-3
        other.eta = 1e-6
        other.rounds = 1
        let labels = Self.sample.labels.map { $0 * 1e-3 }
        let predictions = try predict(Boosting.fit(Self.sample.matrix, labels, other))
        #expect(predictions.allSatisfy { abs($0 - 5e-3) < 1e-7 })
    }

    @Test func `a penalty on leaves means the same in every unit`() throws {
        let labels = Self.sample.labels
        let error = try meanError(fit(labels, other: ["alpha": 5, "gamma": 1]), labels)
        let scaled = labels.map { $0 * 1e-4 }
        #expect(abs(try meanError(fit(scaled, other: ["alpha": 5, "gamma": 1]), scaled) * 1e4 / error - 1) < 1e-3)
    }

    @Test func `several trees a round are rewritten alike`() throws {
        let labels = Self.sample.labels.map { $0 * 1e-6 }
        #expect(try meanError(fit(labels, other: ["num_parallel_tree": 3, "subsample": 0.5]), labels) < 0.2e-6)
    }

    @Test func `labels whose leaves would leave single precision are refused`() throws {
        var eager = parameters
        eager.eta = 1
        let labels = Self.sample.labels.indices.map { Float($0 % 10 == 0 ? 3.3e38 : -3.3e38) }
        let matrix = BoostedTrees.Matrix(values: labels.map { $0 > 0 ? 1 : 0 }, rows: labels.count, columns: 1, names: ["a"])
        let error = #expect(throws: BoostingError.self) { try Boosting.fit(matrix, labels, eager) }
        #expect(error?.description == "cannot train: the labels are too far apart for single precision")
    }

    @Test func `a model that ends early is refused`() throws {
        var small = parameters
        small.rounds = 1
        small.maxDepth = 2
        let model = try Boosting.fit(Self.sample.matrix, Self.sample.labels, small)
        let scale = LabelScale(Self.sample.labels)
        for count in 0..<model.count { #expect(throws: BoostingError.self) { try scale.restored(Array(model[..<count]), startingAt: 0) } }
        #expect(throws: BoostingError.self) { try scale.restored(model + [0], startingAt: 0) }
    }
}
