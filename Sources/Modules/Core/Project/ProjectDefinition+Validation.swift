package import Domain
import Expressions
import Features
import Learning

extension ProjectDefinition {
    private static let keys = [
        "project", "sources", "tables", "vocabularies", "streams", "views", "feature_store", "training", "serving", "monitoring",
        "settings",
    ]

    /// Reads and checks a project file: names, types, expressions, and whether its parts go together.
    ///
    /// - Parameters:
    ///   - file: What to call the file in errors.
    ///   - directory: Where its relative paths start.
    ///   - topicPrefix: Overrides `settings.topic_prefix`.
    ///   - files: What is in the files that ``filesNamed(in:)`` lists.
    ///   - needsInput: Whether it must have streams or tables; a tracking server alone needs neither.
    /// - Throws: Everything that is wrong, by position.
    package init(
        validating root: SourceNode, file: String, directory: String, topicPrefix: String? = nil, files: [String: NamedFile] = [:],
        needsInput: Bool = true
    ) throws(ProjectErrors) {
        var reader = ProjectReader(file: file)
        let top = Item(path: "", node: root, anchor: root.position)
        guard let section = reader.section(top, keys: Self.keys) else { throw ProjectErrors(reader.errors) }
        let name = Self.name(section, &reader)
        let settings = section["settings"].map { SettingsSection($0, &reader) } ?? SettingsSection()
        let prefix = topicPrefix ?? settings.topicPrefix

        reader.vocabularies = VocabularySection.read(section["vocabularies"], files: files, &reader)
        let names = DeclaredNames(section, needsInput: needsInput, &reader)
        var claims = TopicClaims(prefix: prefix)
        var streams: [StreamDefinition] = []
        for (name, item) in names.streams {
            guard let stream = StreamSection.read(name, item, topicPrefix: prefix, &reader) else { continue }
            claims.claim(stream.topic, suffixes: [".dead", ".late"], owner: "the stream \"\(name)\"", item, &reader)
            streams.append(stream)
        }
        let tables = names.tables.compactMap { TableSection.read($0.key, $0.value, &reader) }
        let lookups = TableSection.lookups(names.tables, files: files, &reader)
        let streamsByName = Dictionary(streams.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let sources = (section["sources"].flatMap { reader.entries($0) } ?? []).compactMap { name, item in
            SourceSection.read(name, item, streams: streamsByName, declared: Set(names.streams.map(\.key)), &reader)
        }
        let viewSections = names.views.compactMap { ViewSection($0.key, $0.value, topicPrefix: prefix, &reader) }
        for view in viewSections {
            let suffixes = [".latest", ".generations"] + (view.outliers?.action == .quarantine ? [".quarantine"] : [])
            claims.claim(view.topic, suffixes: suffixes, owner: "the view \"\(view.name)\"", view.topicItem ?? view.item, &reader)
        }
        let views = ViewResolution(
            viewSections, streams: streamsByName, tables: Dictionary(tables.map { ($0.name, $0) }, uniquingKeysWith: { $1 }),
            lookups: lookups, declared: names.all, &reader)

        let context = TrainingSection.Context(views: views, declaredViews: Set(names.views.map(\.key)))
        let training = section["training"].flatMap { TrainingSection.read($0, context, &reader) }
        let serving = section["serving"].flatMap { ServingSection.read($0, context, model: training?.definition.model, &reader) }
        let monitoring = section["monitoring"].flatMap {
            MonitoringSection.read($0, context, training: training?.definition, &reader)
        }
        let featureStore = section["feature_store"].map {
            FeatureStoreSection.read($0, schemas: views.schemas, declared: Set(names.views.map(\.key)), &reader)
        }
        let compiled = reader.errors.isEmpty ? Self.compile(streams, views.definitions, top, &reader) : []
        if let item = section["serving"], let training = training?.definition, let serving {
            ServingSection.check(serving, item, training, compiled.flatMap(\.views.views), &reader)
        }
        guard reader.errors.isEmpty, let name else { throw ProjectErrors(reader.errors) }
        self.init(
            name: name, directory: directory, sources: sources, streams: streams, tables: tables, views: views.definitions,
            training: training?.definition, target: training?.target, serving: serving, monitoring: monitoring, settings: settings.values,
            topicPrefix: prefix, hash: DefinitionText.hash(streams: streams, tables: tables, views: views.definitions),
            compiled: compiled, schemas: views.schemas, settingPlaces: settings.places)
        self.featureStore = featureStore ?? FeatureStoreDefinition()
    }

    /// Paths of the files that the project file names and that decide what it means; relative to its folder.
    package static func filesNamed(in root: SourceNode) -> [String] {
        VocabularySection.paths(in: root) + TableSection.paths(in: root)
    }

    private static func name(_ section: Section, _ reader: inout ProjectReader) -> String? {
        guard let item = reader.required(section, "project"), let name = reader.text(item, "a name") else { return nil }
        return reader.isName(item, name) ? name : nil
    }

    private static func compile(
        _ streams: [StreamDefinition], _ views: [ViewDefinition], _ top: Item, _ reader: inout ProjectReader
    ) -> [(stream: StreamDefinition, views: CompiledViews)] {
        var compiled: [(stream: StreamDefinition, views: CompiledViews)] = []
        for stream in streams {
            do throws(CompiledViews.Error) {
                compiled.append(
                    (stream, try CompiledViews(of: stream, definitions: views, streams: streams)))
            } catch {
                reader.refuse(top.anchor, "the view \"\(error.view)\" cannot be compiled: \(error.cause)")
            }
        }
        return compiled
    }
}

/// The names under `streams:`, `tables:` and `views:`, which share one space because `from:` names any of them.
private struct DeclaredNames {
    typealias Entries = [(key: String, value: Item)]

    let streams: Entries
    let tables: Entries
    let views: Entries

    init(_ section: Section, needsInput: Bool, _ reader: inout ProjectReader) {
        streams = section["streams"].flatMap { reader.entries($0) } ?? []
        tables = section["tables"].flatMap { reader.entries($0) } ?? []
        views = section["views"].flatMap { reader.entries($0) } ?? []
        if needsInput, section["streams"] == nil, section["tables"] == nil {
            reader.refuseKey(section.item, "a project needs streams: or tables: to read from")
        }
        var kinds = Dictionary(streams.map { ($0.key, "stream") }, uniquingKeysWith: { $1 })
        for (entries, kind) in [(tables, "table"), (views, "view")] {
            for (name, item) in entries {
                if let other = kinds.updateValue(kind, forKey: name) { reader.refuseKey(item, "there is a \(other) of this name already") }
            }
        }
    }

    var all: Set<String> { Set((streams + tables + views).map(\.key)) }
}
