import Domain
import Features
import Table

/// What a synthetic source plants: keys beside `pairs`, `rate` and `seed`.
enum PlantingSection {
    static let keys = ["drift", "gaps", "duplicates", "late", "outliers", "categories", "dirt"]

    private static let time: ClosedRange<EventTime.Milliseconds> = 1...365 * 86_400_000

    static func read(_ section: Section, _ stream: StreamDefinition?, _ reader: inout ProjectReader) -> Planting {
        var planting = Planting()
        planting.drift = section["drift"].flatMap { drift($0, &reader) }
        planting.gaps = section["gaps"].flatMap { gaps($0, &reader) }
        planting.duplicates = section["duplicates"].flatMap { share($0, &reader) } ?? 0
        planting.late = section["late"].flatMap { late($0, &reader) }
        planting.outliers = section["outliers"].flatMap { outliers($0, &reader) }
        planting.categories = section["categories"].map { categories($0, stream, &reader) } ?? []
        planting.dirt = section["dirt"].flatMap { share($0, &reader) } ?? 0
        if let item = section["dirt"], section["categories"] == nil {
            reader.refuseKey(item, "\"dirt\" misspells categories, and there are none")
        }
        return planting
    }

    private static func drift(_ item: Item, _ reader: inout ProjectReader) -> Planting.Drift? {
        guard let section = reader.section(item, keys: ["after", "over", "price", "quantity"]) else { return nil }
        let after = reader.required(section, "after").flatMap { reader.duration($0, time) }
        let over = section["over"].map { reader.duration($0, time) } ?? 1
        let price = section["price"].map { factor($0, &reader) } ?? 1
        let quantity = section["quantity"].map { factor($0, &reader) } ?? 1
        if section["price"] == nil, section["quantity"] == nil { reader.refuse(item, "say what moves: price, quantity, or both") }
        guard let after, let over, let price, let quantity else { return nil }
        return Planting.Drift(after: after, over: over, price: price, quantity: quantity)
    }

    private static func gaps(_ item: Item, _ reader: inout ProjectReader) -> Planting.Gaps? {
        guard let section = reader.section(item, keys: ["every", "length"]) else { return nil }
        let every = reader.required(section, "every").flatMap { reader.duration($0, time) }
        let length = reader.required(section, "length").flatMap { reader.duration($0, time) }
        guard let every, let length else { return nil }
        if length >= every { reader.refuse(item, "a gap must be shorter than the stretch it lies in") }
        return Planting.Gaps(every: every, length: length)
    }

    private static func late(_ item: Item, _ reader: inout ProjectReader) -> Planting.Late? {
        guard let section = reader.section(item, keys: ["share", "by"]) else { return nil }
        let share = reader.required(section, "share").flatMap { Self.share($0, &reader) }
        let by = reader.required(section, "by").flatMap { reader.duration($0, time) }
        guard let share, let by else { return nil }
        return Planting.Late(share: share, by: by)
    }

    private static func outliers(_ item: Item, _ reader: inout ProjectReader) -> Planting.Outliers? {
        guard let section = reader.section(item, keys: ["share", "factor"]) else { return nil }
        let share = reader.required(section, "share").flatMap { Self.share($0, &reader) }
        let factor = section["factor"].map { reader.number($0, "a number above 1") { $0 > 1 } } ?? 10
        guard let share, let factor else { return nil }
        return Planting.Outliers(share: share, factor: factor)
    }

    private static func categories(
        _ item: Item, _ stream: StreamDefinition?, _ reader: inout ProjectReader
    ) -> [Planting.Category] {
        var categories: [Planting.Category] = []
        for (name, item) in reader.entries(item) ?? [] {
            if let stream, let field = SourceSection.field(name, item, stream, &reader), field.type != .string {
                reader.refuseKey(item, "the field \"\(name)\" is \(field.type.rawValue); a category is string")
            }
            guard let values = reader.texts(item)?.map(\.text) else { continue }
            if values.isEmpty { reader.refuse(item, "expected at least one value, found an empty list") }
            categories.append(Planting.Category(field: name, values: values))
        }
        return categories
    }

    private static func share(_ item: Item, _ reader: inout ProjectReader) -> Double? {
        reader.number(item, "a share from 0 to 1") { (0...1).contains($0) }
    }

    private static func factor(_ item: Item, _ reader: inout ProjectReader) -> Double? {
        reader.number(item, "a factor above 0") { $0 > 0 }
    }
}
