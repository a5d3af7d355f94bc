import Domain
import Features
import Table

/// One table under `tables:`. Its columns are known from its files, or declared when other views look it up.
enum TableSection {
    private static let formats: [(suffix: String, format: LookupTable.Format)] = [
        (".csv", .csv), (".jsonl", .jsonLines), (".ndjson", .jsonLines),
    ]

    static func read(_ name: String, _ item: Item, _ reader: inout ProjectReader) -> TableDefinition? {
        guard reader.isName(item, name), let section = reader.section(item, keys: ["path", "time", "key", "fields"]) else { return nil }
        let path = reader.required(section, "path").flatMap { reader.text($0, "the path of a file") }
        let isLookup = section["fields"] != nil
        let time = isLookup ? section["time"] : reader.required(section, "time")
        let timeName = time.map { reader.text($0, "the name of a column") } ?? ""
        let key = section["key"].map { reader.texts($0)?.map(\.text) } ?? []
        guard let path, let timeName, let key else { return nil }
        return TableDefinition(name: name, path: path, time: timeName, key: key)
    }

    /// The tables that declare their fields, with what is in their files.
    static func lookups(
        _ tables: [(key: String, value: Item)], files: [String: NamedFile], _ reader: inout ProjectReader
    ) -> [String: LookupTable] {
        var lookups: [String: LookupTable] = [:]
        for (name, item) in tables {
            guard case .map(let entries) = item.node.content, entries.contains(where: { $0.key == "fields" }) else { continue }
            // What else is wrong with the table has been told.
            var silent = reader
            guard let section = silent.section(item, keys: ["path", "time", "key", "fields"]), let pathItem = section["path"],
                let path = silent.text(pathItem), let fields = StreamSection.fields(section, &reader)
            else { continue }
            lookups[name] = lookup(name, section, fields, path: path, pathItem, files[path], &reader)
        }
        return lookups
    }

    private static func lookup(
        _ name: String, _ section: Section, _ fields: [RowDecoder.Field], path: String, _ item: Item, _ file: NamedFile?,
        _ reader: inout ProjectReader
    ) -> LookupTable? {
        guard let key = StreamSection.key(section, fields, &reader) else { return nil }
        guard let format = formats.first(where: { path.hasSuffix($0.suffix) })?.format else {
            reader.refuse(item, "a table that is looked up is a .csv, .jsonl or .ndjson file")
            return nil
        }
        switch file {
        case .text(let text):
            do throws(LookupTable.Error) {
                return try LookupTable(name: name, key: key, fields: fields, text: text, format: format)
            } catch {
                reader.refuse(item, "\(path), \(error)")
            }
        case .unreadable(let reason): reader.refuse(item, "\(path) cannot be read: \(reason)")
        case nil: reader.refuse(item, "\(path) was not read")
        }
        return nil
    }

    /// The paths of the tables that are looked up, as written.
    static func paths(in root: SourceNode) -> [String] {
        guard case .map(let top) = root.content, let entry = top.first(where: { $0.key == "tables" }),
            case .map(let tables) = entry.value.content
        else { return [] }
        return tables.compactMap { table in
            guard case .map(let entries) = table.value.content, entries.contains(where: { $0.key == "fields" }),
                let file = entries.first(where: { $0.key == "path" }), case .scalar(let path, _) = file.value.content, !path.isEmpty
            else { return nil }
            return path
        }
    }
}
