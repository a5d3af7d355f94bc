import Foundation

extension BoostedModel {
    /// Reads a model file as XGBoost 1.6 to 3.x writes it, JSON or UBJSON.
    ///
    /// Everything that evaluation relies on is checked here once, so that no file can make a prediction read outside
    /// its trees or never end.
    package init(bytes: [UInt8]) throws(Error) {
        let document: ModelDocument
        do throws(ModelDocument.Error) {
            document = try ModelDocument.parse(bytes)
        } catch {
            throw .unreadable(error.message, offset: error.offset)
        }
        guard let learner = document["learner"] else { throw .malformed("there is no `learner`") }
        try self.init(learner: learner)
    }

    private init(learner: ModelDocument) throws(Error) {
        guard let name = learner["objective"]?["name"]?.text else { throw .malformed("there is no objective") }
        guard let objective = Objective(rawValue: name) else { throw .unsupported("objective \(name.prefix(60))") }
        guard let parameters = learner["learner_model_param"] else { throw .malformed("there is no `learner_model_param`") }
        guard let features = parameters["num_feature"]?.integer, (0...1_000_000).contains(features) else {
            throw .malformed("`num_feature` is not a count")
        }
        let groupCount = max(1, parameters["num_class"]?.integer ?? 0, parameters["num_target"]?.integer ?? 1)
        guard groupCount <= 10_000 else { throw .malformed("\(groupCount) classes") }
        guard let booster = learner["gradient_booster"] else { throw .malformed("there is no `gradient_booster`") }
        let boosterName = booster["name"]?.text ?? "gbtree"
        guard boosterName == "gbtree" else { throw .unsupported("booster \(boosterName.prefix(60))") }
        guard let model = booster["model"], let trees = model["trees"]?.items, let groups = model["tree_info"]?.numbers else {
            throw .malformed("there are no trees")
        }
        guard trees.count == groups.count else { throw .malformed("\(groups.count) groups for \(trees.count) trees") }

        self.objective = objective
        self.groupCount = groupCount
        featureCount = features
        featureNames = learner["feature_names"]?.texts ?? []
        guard featureNames.isEmpty || featureNames.count == features else {
            throw .malformed("\(featureNames.count) feature names for \(features) features")
        }
        baseMargins = try Self.baseMargins(parameters["base_score"], objective, groupCount)
        var forest = Forest(features: features)
        for (index, tree) in trees.enumerated() { try forest.append(tree, index: index) }
        nodes = forest.nodes
        roots = forest.roots
        var checked: [Int32] = []
        for group in groups {
            guard let group = Int32(exactly: group), group >= 0, group < groupCount else { throw .malformed("a tree of class \(group)") }
            checked.append(group)
        }
        self.groups = checked
    }

    /// `base_score` is a number or its text up to version 3.0, `[…]` text with one entry a class since.
    ///
    /// It is stored as an output; the logistic link turns it back into a margin, in single precision as XGBoost does.
    private static func baseMargins(_ score: ModelDocument?, _ objective: Objective, _ count: Int) throws(Error) -> [Float] {
        var scores = score?.number.map { [$0] } ?? score?.numbers
        if scores == nil, let text = score?.text, text.first == "[", text.last == "]" {
            let parts = text.dropFirst().dropLast().split(separator: ",").map { Double($0.filter { $0 != " " }) }
            scores = parts.contains(nil) ? nil : parts.compactMap { $0 }
        }
        guard var scores, scores.count == 1 || scores.count == count else { throw .malformed("`base_score` is not a number a class") }
        if scores.count == 1 { scores = [Double](repeating: scores[0], count: count) }
        var margins: [Float] = []
        for score in scores.map(Float.init) {
            guard score.isFinite else { throw .malformed("`base_score` is not finite") }
            guard objective == .logistic else {
                margins.append(score)
                continue
            }
            guard score > 0, score < 1 else { throw .malformed("`base_score` \(score) is not a probability") }
            margins.append(Float(-log(Double(1 / score - 1))))
        }
        return margins
    }
}

/// Lays trees out for evaluation: breadth first, so that siblings are neighbours.
private struct Forest {
    let features: Int
    var nodes: [BoostedModel.Node] = []
    var roots: [UInt32] = []

    init(features: Int) { self.features = features }

    mutating func append(_ tree: ModelDocument, index: Int) throws(BoostedModel.Error) {
        func values(_ name: String) throws(BoostedModel.Error) -> [Double] {
            guard let values = tree[name]?.numbers else { throw .malformed("tree \(index) has no numbers `\(name)`") }
            return values
        }
        if let size = tree["tree_param"]?["size_leaf_vector"]?.integer, size > 1 { throw .unsupported("leaves of \(size) values") }
        let left = try values("left_children")
        let right = try values("right_children")
        let conditions = try values("split_conditions")
        let indices = try values("split_indices")
        guard let defaults = tree["default_left"]?.flags else { throw .malformed("tree \(index) has no `default_left`") }
        let count = left.count
        guard count > 0, [right, conditions, indices, defaults].allSatisfy({ $0.count == count }) else {
            throw .malformed("the arrays of tree \(index) differ in length")
        }
        if let types = tree["split_type"]?.numbers, types.contains(where: { $0 != 0 }) { throw .unsupported("categorical splits") }
        guard nodes.count + count < Int(Int32.max) else { throw .unsupported("more than 2³¹ nodes") }

        roots.append(UInt32(nodes.count))
        nodes.append(.init(value: 0, feature: 0, left: 0))
        // Every node is somebody's child once at most, so what is reached from the root is a tree and the walk ends.
        var seen = [Bool](repeating: false, count: count)
        var queue = [(source: 0, place: nodes.count - 1)]
        var head = 0
        seen[0] = true
        while head < queue.count {
            let (source, place) = queue[head]
            head += 1
            let value = Float(conditions[source])
            if left[source] == -1 {
                guard value.isFinite else { throw .malformed("a leaf of tree \(index) is not finite") }
                nodes[place].value = value
                continue
            }
            guard !value.isNaN else { throw .malformed("a threshold of tree \(index) is not a number") }
            guard let feature = UInt32(exactly: indices[source]), Int(feature) < features else {
                throw .malformed("tree \(index) splits on feature \(indices[source]) of \(features)")
            }
            let first = nodes.count
            nodes[place] = .init(
                value: value, feature: feature | (defaults[source] != 0 ? BoostedModel.Node.missingGoesLeft : 0), left: UInt32(first))
            for child in [left[source], right[source]] {
                guard let child = Int(exactly: child), (1..<count).contains(child), !seen[child] else {
                    throw .malformed("tree \(index) is not a tree at node \(source)")
                }
                seen[child] = true
                queue.append((child, nodes.count))
                nodes.append(.init(value: 0, feature: 0, left: 0))
            }
        }
    }
}

extension ModelDocument {
    /// Numbers, or the booleans that some versions write in their place.
    fileprivate var flags: [Double]? {
        if let numbers { return numbers }
        guard let items else { return nil }
        var values: [Double] = []
        for case .bool(let flag) in items { values.append(flag ? 1 : 0) }
        return values.count == items.count ? values : nil
    }
}
