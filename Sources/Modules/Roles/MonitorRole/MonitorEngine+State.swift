import Domain

extension MonitorEngine {
    /// Saved state that does not fit this program.
    package enum StateError: Error, Equatable, CustomStringConvertible {
        case format(found: UInt8, known: UInt8)
        case damaged

        package var description: String {
            switch self {
            case .format(let found, let known): "the monitor's saved state has format \(found), this program reads \(known)"
            case .damaged: "the monitor's saved state is damaged"
            }
        }
    }

    private static var format: UInt8 { 1 }

    /// First byte of a key: what the entry is.
    private enum Entry: UInt8 { case clock = 0, entity, window, total, rows, viewRows, since }

    /// What changed since the last call; `nil` for what is gone. Written together with the positions of the records taken.
    package mutating func takeChanges() -> [(key: [UInt8], value: [UInt8]?)] {
        var changes: [(key: [UInt8], value: [UInt8]?)] = [(Self.key(.clock), encodedClock())]
        for (entity, value) in join.takeChanges() { changes.append((Self.key(.entity) { $0.write(entity.bytes) }, value)) }
        for key in changedWindows.sorted() { changes.append((Self.windowEntry(key), windows[key].map(Self.encode))) }
        for version in changedTotals.sorted() {
            var writer = BinaryWriter()
            totals[version]?.write(to: &writer)
            changes.append((Self.key(.total) { $0.write(version) }, writer.bytes))
        }
        for version in recent.keys.sorted() {
            guard var rows = recent[version] else { continue }
            for (number, value) in rows.takeChanges() {
                let key = Self.key(.rows) { writer in
                    writer.write(version)
                    writer.write(number)
                }
                changes.append((key, value))
            }
            recent[version] = rows
        }
        for (number, value) in viewRows.takeChanges() { changes.append((Self.key(.viewRows) { $0.write(number) }, value)) }
        for version in changedSince.sorted() {
            var writer = BinaryWriter()
            writer.write(since[version] ?? 0)
            changes.append((Self.key(.since) { $0.write(version) }, writer.bytes))
        }
        changedWindows = []
        changedTotals = []
        changedSince = []
        return changes
    }

    /// Puts saved state back into a new engine.
    package mutating func restore(_ entries: [(key: [UInt8], value: [UInt8])]) throws(StateError) {
        do throws(BinaryReader.Damaged) {
            for entry in entries { try restore(entry.key, entry.value) }
        } catch {
            throw .damaged
        }
        guard let clock = entries.first(where: { $0.key == Self.key(.clock) }) else { return }
        guard let format = clock.value.first, format == Self.format else {
            throw .format(found: clock.value.first ?? 0, known: Self.format)
        }
        noteUnjudged()
    }

    private mutating func restore(_ key: [UInt8], _ value: [UInt8]) throws(BinaryReader.Damaged) {
        var name = BinaryReader(key), reader = BinaryReader(value)
        switch Entry(rawValue: try name.readByte()) {
        case .clock: try restoreClock(&reader)
        case .entity:
            guard let entity = EntityKey(bytes: try name.readBytes()) else { throw BinaryReader.Damaged(offset: 0) }
            try join.restore(entity, value)
        case .window:
            let key = WindowKey(start: try name.readInt(), version: try name.readString())
            windows[key] = try Self.window(&reader)
        case .total: totals[try name.readString()] = try ErrorSums(&reader)
        case .rows:
            let version = try name.readString()
            var rows = recent[version] ?? RecentRows(limit: settings.keptRows)
            try rows.restore(try name.readInt(), value)
            recent[version] = rows
        case .viewRows: try viewRows.restore(try name.readInt(), value)
        case .since: since[try name.readString()] = try reader.readInt()
        case nil: throw BinaryReader.Damaged(offset: 0)
        }
    }

    private static func key(_ entry: Entry, _ body: (inout BinaryWriter) -> Void = { _ in }) -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(entry.rawValue)
        body(&writer)
        return writer.bytes
    }

    private static func windowEntry(_ key: WindowKey) -> [UInt8] {
        Self.key(.window) { writer in
            writer.write(key.start)
            writer.write(key.version)
        }
    }

    private func encodedClock() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Self.format)
        writer.write(join.now != nil)
        writer.write(join.now ?? 0)
        for count in [
            join.lateLabels, counts.predictions, counts.repeated, counts.stale, counts.withoutEntity, counts.withoutOutput,
            counts.otherModels, counts.unreadable, counts.labels,
        ] { writer.write(Int64(count)) }
        return writer.bytes
    }

    private mutating func restoreClock(_ reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        // Another format is told apart once everything has been read.
        guard try reader.readByte() == Self.format else { return }
        let isKnown = try reader.readBool(), time = try reader.readInt()
        join.restore(now: isKnown ? time : nil, lateLabels: Int(try reader.readInt()))
        counts.predictions = Int(try reader.readInt())
        counts.repeated = Int(try reader.readInt())
        counts.stale = Int(try reader.readInt())
        counts.withoutEntity = Int(try reader.readInt())
        counts.withoutOutput = Int(try reader.readInt())
        counts.otherModels = Int(try reader.readInt())
        counts.unreadable = Int(try reader.readInt())
        counts.labels = Int(try reader.readInt())
    }

    private static func encode(_ window: Window) -> [UInt8] {
        var writer = BinaryWriter()
        window.errors.write(to: &writer)
        writer.write(window.isClosed)
        writer.write(window.drift != nil)
        if let drift = window.drift {
            writer.write(drift.share)
            writer.write(drift.isDrifted)
            writer.write(Int64(drift.rows))
        }
        return writer.bytes
    }

    private static func window(_ reader: inout BinaryReader) throws(BinaryReader.Damaged) -> Window {
        var window = Window(errors: try ErrorSums(&reader))
        window.isClosed = try reader.readBool()
        if try reader.readBool() {
            window.drift = DriftSummary(share: try reader.readDouble(), isDrifted: try reader.readBool(), rows: Int(try reader.readInt()))
        }
        return window
    }
}
