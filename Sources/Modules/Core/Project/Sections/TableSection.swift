import Features

/// One table under `tables:`. Its columns are known only from its files.
enum TableSection {
    static func read(_ name: String, _ item: Item, _ reader: inout ProjectReader) -> TableDefinition? {
        guard reader.isName(item, name), let section = reader.section(item, keys: ["path", "time", "key"]) else { return nil }
        let path = reader.required(section, "path").flatMap { reader.text($0, "the path of a file") }
        let time = reader.required(section, "time").flatMap { reader.text($0, "the name of a column") }
        let key = section["key"].map { reader.texts($0)?.map(\.text) } ?? []
        guard let path, let time, let key else { return nil }
        return TableDefinition(name: name, path: path, time: time, key: key)
    }
}
