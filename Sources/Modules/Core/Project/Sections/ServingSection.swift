import Domain
import Features
import Learning

/// `serving:`.
enum ServingSection {
    /// - Parameters:
    ///   - model: What `training:` calls its model, when there is such a section and it is sound.
    static func read(
        _ item: Item, _ context: TrainingSection.Context, model: String?, _ reader: inout ProjectReader
    ) -> ServingDefinition? {
        let before = reader.errors.count
        guard let section = reader.section(item, keys: ["models", "features_from", "stream"]) else { return nil }
        let models = models(section, model, &reader)
        let from = section["features_from"].flatMap { view($0, context, &reader) }
        let stream = section["stream"].map { reader.flag($0) } ?? false
        if stream == true, section["features_from"] == nil {
            reader.refuse(section["stream"] ?? item, "predicting every new row needs features_from, the view whose rows they are")
        }
        guard reader.errors.count == before, let models, let stream else { return nil }
        return ServingDefinition(models: models, featuresFrom: from, stream: stream)
    }

    private static func models(
        _ section: Section, _ known: String?, _ reader: inout ProjectReader
    ) -> [ServingDefinition.Model]? {
        guard let item = reader.required(section, "models"), let items = reader.list(item) else { return nil }
        if items.isEmpty { reader.refuse(item, "expected at least one model, found an empty list") }
        var models: [ServingDefinition.Model] = []
        for item in items {
            guard let section = reader.section(item, keys: ["name", "alias"]), let nameItem = reader.required(section, "name"),
                let name = reader.text(nameItem, "the name of a model")
            else { continue }
            let alias = section["alias"].map { reader.text($0, "an alias such as champion") } ?? "champion"
            if let known, name != known {
                reader.refuse(nameItem, "training makes no model \"\(name)\"" + SpellingSuggestion.hint(for: name, among: [known]))
            } else if !reader.isName(nameItem, name) {
                continue
            } else if models.contains(where: { $0.name == name }) {
                reader.refuse(nameItem, "\"\(name)\" is named twice")
            }
            guard let alias else { continue }
            models.append(ServingDefinition.Model(name: name, alias: alias))
        }
        return models
    }

    /// A model answers only from columns that mean what they meant in training: see ``CompiledView/hashes``.
    static func check(
        _ serving: ServingDefinition, _ item: Item, _ training: TrainingDefinition, _ views: [CompiledView], _ reader: inout ProjectReader
    ) {
        guard let from = serving.featuresFrom, from != training.view, let served = views.first(where: { $0.definition.name == from }),
            let trained = views.first(where: { $0.definition.name == training.view })
        else { return }
        let foreign = training.features.filter { served.hashes[$0] != trained.hashes[$0] }
        guard let first = foreign.first, let place = reader.entries(item)?.first(where: { $0.0 == "features_from" })?.1 else { return }
        reader.refuse(
            place,
            "the model is trained on \(foreign.count == 1 ? "\"\(first)\"" : "\"\(first)\" and \(foreign.count - 1) more") of \"\(training.view)\", "
                + "which \"\(from)\" does not have with the same definition; serve from \"\(training.view)\"")
    }

    /// The name of a view whose latest rows can be looked up by key.
    private static func view(_ item: Item, _ context: TrainingSection.Context, _ reader: inout ProjectReader) -> String? {
        guard let name = reader.text(item, "the name of a view") else { return nil }
        guard context.declaredViews.contains(name) else {
            reader.refuse(item, "there is no view \"\(name)\"" + SpellingSuggestion.hint(for: name, among: Array(context.declaredViews)))
            return nil
        }
        if case .table(let table)? = context.views.roots[name] {
            reader.refuse(item, "\"\(name)\" reads the table \"\(table)\"; only rows of a stream can be looked up")
            return nil
        }
        return name
    }
}
