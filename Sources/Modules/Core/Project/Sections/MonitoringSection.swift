import Domain
import Expressions
import Features
import Learning

/// `monitoring:`.
enum MonitoringSection {
    private static let hour: EventTime.Milliseconds = 3_600_000
    private static let longest: EventTime.Milliseconds = 366 * 86_400_000

    static func read(
        _ item: Item, _ context: TrainingSection.Context, training: TrainingDefinition?, _ reader: inout ProjectReader
    ) -> MonitoringDefinition? {
        let before = reader.errors.count
        guard let section = reader.section(item, keys: ["windows", "labels", "drift"], later: ["alerts", "retrain"]) else { return nil }
        let windows = windows(section["windows"], &reader)
        let labels = section["labels"].flatMap { Self.labels($0, context, training, &reader) }
        let drift = drift(section["drift"], &reader)
        guard reader.errors.count == before, let windows, let drift else { return nil }
        return MonitoringDefinition(windows: windows, labels: labels, drift: drift)
    }

    private static func windows(_ item: Item?, _ reader: inout ProjectReader) -> MonitoringDefinition.Windows? {
        guard let item else { return MonitoringDefinition.Windows(length: hour, minRows: 100) }
        guard let section = reader.section(item, keys: ["length", "min_rows"]) else { return nil }
        let length = section["length"].map { reader.duration($0, 1_000...longest) } ?? hour
        let rows = section["min_rows"].map { reader.integer($0, 1...Int.max) } ?? 100
        guard let length, let rows else { return nil }
        return MonitoringDefinition.Windows(length: length, minRows: rows)
    }

    private static func drift(_ item: Item?, _ reader: inout ProjectReader) -> MonitoringDefinition.Drift? {
        guard let item else { return MonitoringDefinition.Drift(method: .auto, share: 0.5) }
        guard let section = reader.section(item, keys: ["method", "share"]) else { return nil }
        let method = section["method"].map { reader.choice($0, "drift method", as: MonitoringDefinition.Drift.Method.self) } ?? .auto
        let share = section["share"].map { reader.number($0, "a share above 0, up to 1") { $0 > 0 && $0 <= 1 } } ?? 0.5
        guard let method, let share else { return nil }
        return MonitoringDefinition.Drift(method: method, share: share)
    }

    private static func labels(
        _ item: Item, _ context: TrainingSection.Context, _ training: TrainingDefinition?, _ reader: inout ProjectReader
    ) -> MonitoringDefinition.Labels? {
        guard let section = reader.section(item, keys: ["from", "key", "horizon", "value", "wait"]) else { return nil }
        let key = reader.required(section, "key").flatMap { item in reader.text(item, "the key of the view").map { ($0, item) } }
        let value = reader.required(section, "value").flatMap { item in reader.text(item, "the name of a column").map { ($0, item) } }
        let horizon = reader.required(section, "horizon").flatMap { item in reader.duration(item, 0...longest).map { ($0, item) } }
        let wait = section["wait"].map { reader.duration($0, 0...longest) } ?? hour
        guard let from = reader.required(section, "from"), let view = reader.text(from, "the name of a view") else { return nil }
        guard context.declaredViews.contains(view) else {
            reader.refuse(from, "there is no view \"\(view)\"" + SpellingSuggestion.hint(for: view, among: Array(context.declaredViews)))
            return nil
        }
        if let schema = context.views.schemas[view] {
            let broken = context.views.broken[view] ?? []
            if let key, schema.key.map(\.name) != [key.0] {
                reader.refuse(key.1, "the key of \"\(view)\" is \(schema.key.map(\.name).joined(separator: ", ")), not \"\(key.0)\"")
            }
            if let value, !broken.contains(value.0) { checkValue(value.0, value.1, view, schema, &reader) }
        }
        if let horizon, let training, training.horizon != horizon.0 {
            reader.refuse(
                horizon.1,
                "the target lies \(DurationText.format(training.horizon)) ahead, so its labels do; found \(DurationText.format(horizon.0))")
        }
        guard let key, let value, let horizon, let wait else { return nil }
        return MonitoringDefinition.Labels(view: view, key: key.0, horizon: horizon.0, value: value.0, wait: wait)
    }

    private static func checkValue(
        _ name: String, _ item: Item, _ view: String, _ schema: ViewSchema, _ reader: inout ProjectReader
    ) {
        guard let column = schema.columns.first(where: { $0.name == name }) else {
            let hint = SpellingSuggestion.hint(for: name, among: schema.columns.map(\.name))
            return reader.refuse(item, "the view \"\(view)\" has no column \"\(name)\"" + hint)
        }
        if !column.type.isNumeric { reader.refuse(item, "\"\(name)\" is \(column.type.rawValue), not a number") }
    }
}
