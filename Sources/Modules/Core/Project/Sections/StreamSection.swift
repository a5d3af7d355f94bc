import Domain
import Expressions
import Features
import Table

/// One stream under `streams:`.
struct StreamSection {
    private static let keys = ["key", "time", "fields", "dedupe", "require", "topic"]
    /// Names that rows carry of themselves.
    static let reserved = Set((ViewSchema.Metadata.event.columns + ViewSchema.Metadata.window.columns).map(\.name))

    /// - Returns: `nil` when anything about the stream is wrong.
    static func read(_ name: String, _ item: Item, topicPrefix: String, _ reader: inout ProjectReader) -> StreamDefinition? {
        let before = reader.errors.count
        guard reader.isName(item, name), let section = reader.section(item, keys: keys) else { return nil }
        let topic = topic(section, name, topicPrefix, &reader)
        guard let fields = fields(section, &reader) else { return nil }
        let key = key(section, fields, &reader)
        let time = time(section, fields, &reader)
        let dedupe = section["dedupe"].flatMap { Self.dedupe($0, fields, &reader) }
        let require = section["require"].map { requirements($0, fields, &reader) } ?? []
        guard reader.errors.count == before, let key, let time else { return nil }
        return StreamDefinition(name: name, topic: topic, key: key, time: time, fields: fields, dedupe: dedupe, require: require)
    }

    static func topic(_ section: Section, _ name: String, _ prefix: String, _ reader: inout ProjectReader) -> String {
        guard let item = section["topic"], let text = reader.text(item, "the name of a topic") else { return prefix + name }
        if !ValueForms.isName(text) {
            reader.refuse(item, "\"\(text)\" cannot be a topic; use letters, digits, \".\", \"_\" and \"-\", at most 200 of them")
        }
        return prefix + text
    }

    // MARK: Fields

    static func fields(_ section: Section, _ reader: inout ProjectReader) -> [RowDecoder.Field]? {
        guard let item = reader.required(section, "fields"), let entries = reader.entries(item) else { return nil }
        if entries.isEmpty { reader.refuse(item, "at least one field is needed") }
        var fields: [RowDecoder.Field] = [], isComplete = !entries.isEmpty
        for (name, item) in entries {
            if name.isEmpty || reserved.contains(name) {
                reader.refuseKey(item, "\"\(name)\" is a column that rows carry of themselves; choose another name and say from: \(name)")
                isComplete = false
            } else if let field = field(name, item, &reader) {
                fields.append(field)
            } else {
                isComplete = false
            }
        }
        return isComplete ? fields : nil
    }

    private static func field(_ name: String, _ item: Item, _ reader: inout ProjectReader) -> RowDecoder.Field? {
        guard case .map = item.node.content else {
            return type(item, &reader).map { RowDecoder.Field(name, $0.type, isOptional: $0.isOptional) }
        }
        guard let section = reader.section(item, keys: ["from", "type"]), let typeItem = reader.required(section, "type") else {
            return nil
        }
        let type = type(typeItem, &reader)
        let sources = section["from"].map { reader.texts($0) } ?? [(name, item)]
        guard let type, let sources else { return nil }
        guard !sources.isEmpty else {
            reader.refuse(section["from"] ?? item, "expected at least one name, found an empty list")
            return nil
        }
        return RowDecoder.Field(name, type.type, isOptional: type.isOptional, sources: sources.map(\.text))
    }

    private static func type(_ item: Item, _ reader: inout ProjectReader) -> (type: ValueType, isOptional: Bool)? {
        let names = ValueType.allCases.map(\.rawValue)
        guard let text = reader.text(item, "a type (\(names.joined(separator: ", ")), with ? when it may be missing)") else { return nil }
        let isOptional = text.hasSuffix("?"), name = isOptional ? String(text.dropLast()) : text
        if let type = ValueType(rawValue: name) { return (type, isOptional) }
        reader.refuse(item, "unknown type \"\(name)\"" + SpellingSuggestion.hint(for: name, among: names))
        return nil
    }

    // MARK: What refers to fields

    static func find(
        _ name: String, _ item: Item, _ fields: [RowDecoder.Field], _ reader: inout ProjectReader
    ) -> RowDecoder.Field? {
        if let field = fields.first(where: { $0.name == name }) { return field }
        reader.refuse(item, "the stream has no field \"\(name)\"" + SpellingSuggestion.hint(for: name, among: fields.map(\.name)))
        return nil
    }

    static func key(_ section: Section, _ fields: [RowDecoder.Field], _ reader: inout ProjectReader) -> [String]? {
        guard let item = reader.required(section, "key"), let names = reader.texts(item) else { return nil }
        if names.isEmpty { reader.refuse(item, "at least one key field is needed") }
        var key: [String] = []
        for (name, item) in names {
            guard let field = find(name, item, fields, &reader) else { continue }
            if field.isOptional {
                reader.refuse(item, "the key field \"\(name)\" may not be missing; write its type without ?")
            } else if field.type != .string && field.type != .int {
                reader.refuse(item, "the key field \"\(name)\" is \(field.type.rawValue); a key is string or int")
            } else if key.contains(name) {
                reader.refuse(item, "\"\(name)\" is named twice")
            }
            key.append(name)
        }
        return key
    }

    private static func time(_ section: Section, _ fields: [RowDecoder.Field], _ reader: inout ProjectReader) -> String? {
        guard let item = reader.required(section, "time"), let name = reader.text(item, "the name of a field"),
            let field = find(name, item, fields, &reader)
        else { return nil }
        if field.isOptional {
            reader.refuse(item, "the time field \"\(name)\" may not be missing; write its type without ?")
        } else if field.type != .int && field.type != .time {
            reader.refuse(item, "the time field \"\(name)\" is \(field.type.rawValue); time is int (milliseconds) or time")
        }
        return name
    }

    private static func dedupe(
        _ item: Item, _ fields: [RowDecoder.Field], _ reader: inout ProjectReader
    ) -> StreamDefinition.Dedupe? {
        guard let section = reader.section(item, keys: ["field", "keep"]) else { return nil }
        let fieldItem = reader.required(section, "field")
        let name = fieldItem.flatMap { reader.text($0, "the name of a field") }
        let field = name.flatMap { name in fieldItem.flatMap { find(name, $0, fields, &reader) } }
        let keep = section["keep"].map { reader.integer($0, 1...10_000_000) } ?? 10_000
        guard let field, let keep else { return nil }
        return StreamDefinition.Dedupe(field: field.name, keep: keep)
    }

    /// `price: "> 0"` means `price > 0`.
    private static func requirements(
        _ item: Item, _ fields: [RowDecoder.Field], _ reader: inout ProjectReader
    ) -> [StreamDefinition.Requirement] {
        var requirements: [StreamDefinition.Requirement] = []
        let schema: Schema = fields.map { ($0.name, $0.type) }
        for (name, item) in reader.entries(item) ?? [] {
            guard fields.contains(where: { $0.name == name }) else {
                let hint = SpellingSuggestion.hint(for: name, among: fields.map(\.name))
                reader.refuseKey(item, "the stream has no field \"\(name)\"" + hint)
                continue
            }
            guard let text = reader.text(item, "a condition such as \"> 0\"") else { continue }
            guard ["<", ">", "=", "!"].contains(where: text.hasPrefix) else {
                reader.refuse(item, "a condition begins with a comparison, such as \"> 0\"; found \"\(text)\"")
                continue
            }
            let prefix = ValueForms.isPlainWord(name) ? name : "`\(name)`"
            do throws(ExpressionError) {
                let condition = try Expression.parse("\(prefix) \(text)", vocabularies: reader.vocabularies)
                let program = try RowProgram(columns: [], filter: condition, schema: schema)
                if program.hasState { reader.refuse(item, "a condition looks at one record only") }
                requirements.append(StreamDefinition.Requirement(field: name, text: text, condition: condition))
            } catch {
                reader.refuse(error, in: item, shift: prefix.unicodeScalars.count + 1)
            }
        }
        return requirements
    }
}
