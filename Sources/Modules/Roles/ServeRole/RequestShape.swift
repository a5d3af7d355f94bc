import Domain
import Inference
import Web

/// What the rows of a request may look like: the model's inputs by name or in order, or the key of an entity.
struct RequestShape {
    let inputs: [Model.Input]
    let key: [PredictRequest.KeyColumn]
    private let position: [String: Int]
    private let keyNames: Set<String>

    init(inputs: [Model.Input], key: [PredictRequest.KeyColumn]) {
        self.inputs = inputs
        self.key = key
        position = Dictionary(inputs.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        keyNames = Set(key.map(\.name))
    }

    // MARK: Row format

    func instances(_ items: [JSONValue]) throws(ServeFailure) -> [PredictRequest.Instance] {
        let areObjects = items[0].members != nil
        var instances: [PredictRequest.Instance] = []
        instances.reserveCapacity(items.count)
        for (row, item) in items.enumerated() {
            guard let members = item.members else {
                guard !areObjects else { throw invalid("Expecting object but got list at item \(row) of input list") }
                instances.append(.features(try list(item, row: row)))
                continue
            }
            guard areObjects else { throw invalid("Expecting value/list but got object at item \(row) of input list") }
            instances.append(try object(members, item, row: row))
        }
        return instances
    }

    private func object(_ members: [JSONValue.Member], _ item: JSONValue, row: Int) throws(ServeFailure) -> PredictRequest.Instance {
        if isKey(members) {
            var parts: [Value] = []
            for column in key { parts.append(try element(item[column.name] ?? .null, column.type, row, column.name)) }
            return .entity(parts)
        }
        var values = [Value?](repeating: nil, count: inputs.count)
        for member in members {
            guard let place = position[member.key] else {
                // The key may stand beside the features; it does not change the answer.
                if keyNames.contains(member.key) { continue }
                let hint = SpellingSuggestion.hint(for: member.key, among: inputs.map(\.name))
                throw failed(row, member.key, "JSON object: does not have named input: \(member.key)\(hint)")
            }
            values[place] = try element(member.value, inputs[place].type, row, member.key)
        }
        if values.contains(nil) {
            let names = inputs.map(\.name).joined(separator: ",")
            throw invalid(
                "Failed to process element: \(row) of 'instances' list. JSON object: \(RequestText.of(item)) must only have keys: \(names)"
                    + (key.isEmpty ? "" : ", or only: \(key.map(\.name).joined(separator: ","))"))
        }
        return .features(values.map { $0 ?? .null })
    }

    /// Whether an object names the entity and nothing else.
    private func isKey(_ members: [JSONValue.Member]) -> Bool {
        !key.isEmpty && members.count == key.count && members.allSatisfy { keyNames.contains($0.key) }
            && !(inputs.count == key.count && inputs.allSatisfy { keyNames.contains($0.name) })
    }

    private func list(_ item: JSONValue, row: Int) throws(ServeFailure) -> [Value] {
        let cells = item.array ?? [item]
        guard cells.count == inputs.count else {
            throw invalid(
                "Failed to process element: \(row) of 'instances' list. Error: Encountered list at unexpected size: \(cells.count) at level: 0 expected size: \(inputs.count)"
            )
        }
        var values: [Value] = []
        values.reserveCapacity(cells.count)
        for (cell, input) in zip(cells, inputs) { values.append(try element(cell, input.type, row, input.name)) }
        return values
    }

    // MARK: Column format

    func columns(_ value: JSONValue) throws(ServeFailure) -> [PredictRequest.Instance] {
        guard let members = value.members else { return try matrix(value) }
        if isKey(members) {
            let columns = try cells(key, value)
            return columns[0].indices.map { row in .entity(columns.map { $0[row] }) }
        }
        let columns = try cells(inputs.map { ($0.name, $0.type) }, value)
        guard let count = columns.first?.count else { throw invalid("No values in 'inputs' object") }
        return (0..<count).map { row in .features(columns.map { $0[row] }) }
    }

    private func matrix(_ value: JSONValue) throws(ServeFailure) -> [PredictRequest.Instance] {
        guard let rows = value.array, !rows.isEmpty else { throw invalid("JSON Value: \(RequestText.of(value)) No values in 'inputs'") }
        var instances: [PredictRequest.Instance] = []
        for (row, item) in rows.enumerated() {
            guard item.array != nil || inputs.count == 1 else {
                throw invalid(
                    "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map")
            }
            instances.append(.features(try list(item, row: row)))
        }
        return instances
    }

    /// The cells of columns that must all be there and equally long.
    private func cells(_ columns: [PredictRequest.KeyColumn], _ value: JSONValue) throws(ServeFailure) -> [[Value]] {
        var result: [[Value]] = []
        for column in columns {
            guard let member = value[column.name] else { throw invalid("Missing named input: \(column.name) in 'inputs' object.") }
            var values: [Value] = []
            for (row, cell) in (member.array ?? [member]).enumerated() {
                // Shape [n, 1] means the same as [n].
                let cell = cell.array.flatMap { $0.count == 1 ? $0[0] : nil } ?? cell
                values.append(try self.cell(cell, column.type, "row \(row) of input \(column.name)"))
            }
            if let first = result.first, first.count != values.count {
                throw invalid("Expecting tensor size: \(first.count) but got: \(values.count) for input: \(column.name)")
            }
            guard !values.isEmpty else { throw invalid("No values in input: \(column.name)") }
            result.append(values)
        }
        return result
    }

    // MARK: Cells

    private func element(_ value: JSONValue, _ type: ValueType, _ row: Int, _ name: String) throws(ServeFailure) -> Value {
        do throws(ServeFailure) {
            return try cell(value, type, nil)
        } catch {
            throw failed(row, name, error.message)
        }
    }

    private func cell(_ value: JSONValue, _ type: ValueType, _ place: String?) throws(ServeFailure) -> Value {
        switch (type, value) {
        case (_, .null): return .null
        case (.double, .int(let number)): return .double(Double(number))
        case (.double, .double(let number)): return .finite(number)
        case (.int, .int(let number)): return .int(number)
        case (.time, .int(let number)): return .time(number)
        case (.int, .double(let number)), (.time, .double(let number)):
            if number.isNaN { return .null }
            if let whole = Int64(exactly: number) { return type == .int ? .int(whole) : .time(whole) }
        case (.time, .string(let text)): if let time = EventTime.parse(text) { return .time(time) }
        case (.bool, .bool(let flag)): return .bool(flag)
        case (.string, .string(let text)): return .string(text)
        default: break
        }
        throw invalid(
            "JSON Value: \(RequestText.of(value)) Type: \(RequestText.type(value)) is not of expected type: \(RequestText.name(type))"
                + (place.map { " at \($0)" } ?? ""))
    }

    private func failed(_ row: Int, _ name: String, _ reason: String) -> ServeFailure {
        invalid("Failed to process element: \(row) key: \(name) of 'instances' list. Error: \(reason)")
    }

    private func invalid(_ message: String) -> ServeFailure { ServeFailure(.invalid, message) }
}
