package import Domain

/// The latest predictions of one model version with their inputs, or the latest rows of a view: what drift is judged on.
///
/// Rows are kept in chunks, so that adding one rewrites only the last chunk of the saved state.
package struct RecentRows: Sendable {
    package struct Row: Sendable, Equatable {
        package let featureTime: EventTime.Milliseconds
        /// `nil` when the model gave no number.
        package let output: Double?
        package let values: [Value]
    }

    private struct Chunk {
        let number: Int64
        var rows: [Row] = []
    }

    static let chunkRows = 250

    /// The inputs, in the model's order; known from the first row on.
    package private(set) var names: [String] = []
    /// Rows kept at most; a little more until a whole chunk can go.
    package let limit: Int
    private var chunks: [Chunk] = []
    private var changed: Set<Int64> = []

    package init(limit: Int) { self.limit = max(Self.chunkRows, limit) }

    package private(set) var count = 0
    /// When the last row added was known.
    package var lastTime: EventTime.Milliseconds? { chunks.last?.rows.last?.featureTime }
    /// Oldest first.
    package var rows: [Row] { chunks.flatMap(\.rows) }

    /// The rows that came last, oldest first.
    package func latest(_ count: Int) -> [Row] {
        var wanted: [Chunk] = [], found = 0
        for chunk in chunks.reversed() where found < count {
            wanted.append(chunk)
            found += chunk.rows.count
        }
        return wanted.reversed().flatMap(\.rows).suffix(count)
    }

    package mutating func add(_ prediction: MonitoredPrediction) {
        if names.isEmpty { names = prediction.features.map(\.name) }
        var values = prediction.features.map(\.value)
        if !prediction.features.map(\.name).elementsEqual(names) {
            values = names.map { name in prediction.features.first { $0.name == name }?.value ?? .null }
        }
        add(Row(featureTime: prediction.featureTime, output: prediction.output, values: values))
    }

    /// Adds a row that belongs to no prediction.
    /// - Parameter names: The same for every row.
    package mutating func add(_ values: [Value], names: [String], at time: EventTime.Milliseconds) {
        if self.names.isEmpty { self.names = names }
        guard self.names == names else { return }
        add(Row(featureTime: time, output: nil, values: values))
    }

    private mutating func add(_ row: Row) {
        if chunks.last.map({ $0.rows.count >= Self.chunkRows }) ?? true {
            chunks.append(Chunk(number: (chunks.last?.number ?? -1) + 1))
        }
        let last = chunks.count - 1
        chunks[last].rows.append(row)
        changed.insert(chunks[last].number)
        count += 1
        while chunks.count > 1, count - chunks[0].rows.count >= limit { removeOldest() }
    }

    /// Gives up the oldest chunk.
    mutating func removeOldest() {
        guard !chunks.isEmpty else { return }
        let chunk = chunks.removeFirst()
        count -= chunk.rows.count
        changed.insert(chunk.number)
    }

    /// Saved chunks that changed since the last call; `nil` for those that are gone.
    mutating func takeChanges() -> [(number: Int64, value: [UInt8]?)] {
        defer { changed = [] }
        return changed.sorted().map { number in
            (number, chunks.first { $0.number == number }.map { encode($0) })
        }
    }

    /// Puts a saved chunk back; chunks come in the order of their numbers.
    mutating func restore(_ number: Int64, _ bytes: [UInt8]) throws(BinaryReader.Damaged) {
        var reader = BinaryReader(bytes), chunk = Chunk(number: number)
        var names: [String] = []
        for _ in 0..<(try reader.readCount()) { names.append(try reader.readString()) }
        self.names = names
        for _ in 0..<(try reader.readCount()) {
            let time = try reader.readInt()
            let output = try reader.readBool() ? try reader.readDouble() : nil
            var values: [Value] = []
            for _ in names { values.append(try reader.readValue()) }
            chunk.rows.append(Row(featureTime: time, output: output, values: values))
        }
        chunks.append(chunk)
        count += chunk.rows.count
        chunks.sort { $0.number < $1.number }
    }

    private func encode(_ chunk: Chunk) -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(count: names.count)
        for name in names { writer.write(name) }
        writer.write(count: chunk.rows.count)
        for row in chunk.rows {
            writer.write(row.featureTime)
            writer.write(row.output != nil)
            if let output = row.output { writer.write(output) }
            for value in row.values { writer.write(value) }
        }
        return writer.bytes
    }
}
