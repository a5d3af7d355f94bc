import Domain
import Expressions

/// A file that a project names besides itself, as whoever reads files found it.
package enum NamedFile: Sendable {
    case text(String)
    case unreadable(reason: String)
}

/// `vocabularies:`, the categories that `canonical` looks texts up in.
enum VocabularySection {
    private static let keys = ["synonyms", "unknown"]

    /// Every vocabulary by name. One that is wrong is there too, empty, so that nothing more is said where it is used.
    static func read(_ item: Item?, files: [String: NamedFile], _ reader: inout ProjectReader) -> [String: Vocabulary] {
        var vocabularies: [String: Vocabulary] = [:]
        for (name, item) in item.flatMap({ reader.entries($0) }) ?? [] where reader.isName(item, name) {
            vocabularies[name] = read(name, item, files: files, &reader) ?? (try? Vocabulary(name: name, synonyms: "", unknown: .keep))
        }
        return vocabularies
    }

    private static func read(_ name: String, _ item: Item, files: [String: NamedFile], _ reader: inout ProjectReader) -> Vocabulary? {
        guard let section = reader.section(item, keys: keys) else { return nil }
        var unknown = Vocabulary.Unknown.keep
        if let item = section["unknown"], let text = reader.text(item, "keep, or the category of all unknown values"), text != "keep" {
            unknown = .category(text)
        }
        guard let fileItem = reader.required(section, "synonyms"), let path = reader.text(fileItem, "the path of a file") else {
            return nil
        }
        switch files[path] {
        case .text(let text):
            do throws(Vocabulary.Error) {
                return try Vocabulary(name: name, synonyms: text, unknown: unknown)
            } catch {
                reader.refuse(fileItem, "\(path), \(error)")
            }
        case .unreadable(let reason): reader.refuse(fileItem, "\(path) cannot be read: \(reason)")
        case nil: reader.refuse(fileItem, "\(path) was not read")
        }
        return nil
    }

    /// The paths that the section names, as written.
    static func paths(in root: SourceNode) -> [String] {
        guard case .map(let top) = root.content, let entry = top.first(where: { $0.key == "vocabularies" }),
            case .map(let vocabularies) = entry.value.content
        else { return [] }
        return vocabularies.compactMap { vocabulary in
            guard case .map(let entries) = vocabulary.value.content, let file = entries.first(where: { $0.key == "synonyms" }),
                case .scalar(let path, _) = file.value.content, !path.isEmpty
            else { return nil }
            return path
        }
    }
}
