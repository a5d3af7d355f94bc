package import Domain
package import Expressions
import Streaming
import Table

/// Computes the views of one stream for one partition: the only code that computes features, whether rows come from the
/// live log, from files, or again after a crash.
///
/// The rows of an entity depend only on the sequence of that entity's records: not on batch sizes, restarts, or what
/// other entities do.
package struct FeatureEngine: Sendable {
    package let views: CompiledViews
    /// Definition hash of every column, by view and column.
    package let hashes: [String: [String: ContentHash]]
    private var intake: StreamIntake
    private var operators: [ViewOperator]
    private var releases: Releases
    /// Per other stream the engine of the views that are joined from it, and where its records stand among this one's.
    private var others: [(engine: FeatureEngine, places: [(offset: Int64, before: Int64)])] = []
    /// In which order records of this and the other streams are taken.
    package var merge: StreamMerge
    private var hasSavedMeta = false
    private var savedKeys = 0

    package init(stream: StreamDefinition, views: CompiledViews) throws(ExpressionError) {
        self.views = views
        hashes = views.hashes
        intake = try StreamIntake(stream)
        releases = Releases(views.views)
        operators = views.views.enumerated().map { index, view in
            ViewOperator(view, position: index, joined: views.joined[index].map { ($0, views.schema(of: $0)) })
        }
        merge = StreamMerge(stream, views)
        for other in views.others { others.append((try FeatureEngine(stream: other.stream, views: other.views), [])) }
    }

    package var pendingCount: Int { intake.pendingCount + releases.count }

    /// The entity of a row, by its number.
    package func entity(_ number: Int) -> EntityKey { intake.keys.entities[number] }

    /// Takes one event of the log; see ``StreamIntake/addEvent(_:hasKey:offset:ingestedAt:)``.
    package mutating func addEvent(
        _ value: UnsafeRawBufferPointer?, hasKey: Bool, offset: Int64, ingestedAt: EventTime.Milliseconds?
    ) {
        intake.addEvent(value, hasKey: hasKey, offset: offset, ingestedAt: ingestedAt)
    }

    package mutating func addTick(_ kind: Tick, key: EntityKey, time: EventTime.Milliseconds, offset: Int64) {
        intake.addTick(kind, key: key, time: time, offset: offset)
    }

    /// Takes records of another stream.
    /// - Parameters:
    ///   - stream: Its place among ``CompiledViews/others``.
    ///   - places: Per record its offset, and the record of this stream before which it is taken; both ascending.
    ///   - take: Adds the records.
    package mutating func withOther(
        _ stream: Int, places: [(offset: Int64, before: Int64)], _ take: (inout FeatureEngine) throws -> Void
    ) rethrows {
        others[stream].places += places
        try take(&others[stream].engine)
    }

    /// Takes the release of a row that an outlier rule held back.
    /// - Parameters:
    ///   - value: The row; borrowed for the call.
    ///   - header: The row's header ``HeaderName/columns``.
    package mutating func addRelease(
        _ value: UnsafeRawBufferPointer?, of view: String, key: EntityKey?, header: UnsafeRawBufferPointer?, offset: Int64
    ) {
        releases.add(value, of: view, key: key, header: header, offset: offset)
    }

    /// Computes everything that the records taken since the last call lead to.
    package mutating func process() -> EngineOutput {
        let batch = intake.takeBatch()
        var output = EngineOutput()
        let released = releases.take(intake.keys)
        output.dead = released.dead.isEmpty ? batch.dead : (batch.dead + released.dead).sorted { $0.offset < $1.offset }
        output.duplicates = batch.duplicates
        output.accepted = batch.events.rowCount
        for index in others.indices {
            let rows = others[index].engine.process().rows
            output.others.rows.append(rows.map { $0.causedBy(others[index].places) })
            output.others.keys.append(others[index].engine.intake.keys)
            others[index].places = []
        }
        for index in operators.indices {
            if let parent = views.upstream[index] {
                let input = output.rows[parent]
                let rows = operators[index].process(input, keys: intake.keys, output: &output)
                output.rows.append(operators[index].with(released.rows[index] ?? [], among: rows))
            } else {
                let rows = operators[index].process(batch, keys: intake.keys, output: &output)
                output.rows.append(operators[index].with(released.rows[index] ?? [], among: rows))
            }
        }
        // In the order of the events, whichever views found them late: where batches are cut must not matter.
        let late = output.late.enumerated().sorted { ($0.element.offset, $0.offset) < ($1.element.offset, $1.offset) }
        output.late = late.map(\.element)
        return output
    }

    // MARK: State

    /// The state entries that changed since the last call.
    package mutating func takeChanges() -> [EngineState.Entry] {
        var entries: [EngineState.Entry] = []
        if !hasSavedMeta {
            entries.append(EngineState.Meta(views).entry)
            hasSavedMeta = true
        }
        for number in savedKeys..<intake.keys.count {
            entries.append((JSONText.array([.string("key"), .string(intake.keys.entities[number].description)]), partsBytes(number)))
        }
        savedKeys = intake.keys.count
        intake.takeChanges { key, part, bytes in
            entries.append((JSONText.array([.string("dedupe"), .string(key.description), .string(part)]), bytes))
        }
        let otherKeys = others.map { $0.engine.intake.keys }
        for index in operators.indices {
            let name = operators[index].view.definition.name
            let keys = intake.keys
            func path(_ kind: String, _ key: Int) -> [UInt8] {
                JSONText.array([.string(kind), .string(name), .string(keys.entities[key].description)])
            }
            operators[index].takeChanges { key, bytes in
                entries.append((path("view", key), bytes))
            } shared: { bytes in
                entries.append((JSONText.array([.string("shared"), .string(name)]), bytes))
            } outliers: { key, bytes in
                entries.append((path("outliers", key), bytes))
            } joined: { other, place, key, bytes in
                var entities = keys.entities
                if case .other(let stream, _) = place { entities = otherKeys[stream].entities }
                let entity = entities[key].description
                entries.append((JSONText.array([.string("joined"), .string(name), .string(entity), .string(other)]), bytes))
            }
        }
        for index in others.indices {
            let lead = [Value.string("other"), .string(views.others[index].stream.name)]
            for entry in others[index].engine.takeChanges() {
                entries.append((JSONText.array(lead + (Self.path(entry.key) ?? []).map { .string($0) }), entry.value))
            }
        }
        entries += merge.takeChanges()
        return entries
    }

    private func partsBytes(_ number: Int) -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(count: number)
        writer.write(count: intake.keys.parts[number].count)
        for part in intake.keys.parts[number] { writer.write(part) }
        return writer.bytes
    }

    /// Puts saved state back into a new engine.
    /// - Throws: ``EngineState/Error`` when it was made with other definitions or is damaged; the engine is then useless.
    package mutating func restore(_ entries: [EngineState.Entry]) throws(EngineState.Error) {
        guard !entries.isEmpty else { return }
        var saved: [[String]: [UInt8]] = [:]
        for entry in entries {
            guard let path = Self.path(entry.key) else { throw .damaged(view: "the key table") }
            saved[path] = entry.value
        }
        guard let meta = saved[["meta"]] else { throw .damaged(view: "the meta entry") }
        let wanted = EngineState.Meta(views), found = try EngineState.Meta(meta)
        let unusable = wanted.unusable(found)
        guard unusable.isEmpty else { throw .definitionsChanged(unusable) }
        // Columns without a memory may have come or gone: from the next commit on the state says so.
        hasSavedMeta = found == wanted
        var numbers: [String: Int] = [:]
        for key in try Self.keys(saved) { numbers[key.entity] = try restoreKey(key.parts) }
        savedKeys = intake.keys.count
        try restoreOthers(saved)
        for (path, bytes) in saved where (path[0] == "view" || path[0] == "outliers") && path.count == 3 {
            // Of a view that is gone, nothing is needed.
            guard let index = operators.firstIndex(where: { $0.view.definition.name == path[1] }) else { continue }
            guard let key = numbers[path[2]] else { throw .damaged(view: path[1]) }
            if path[0] == "view" {
                try operators[index].restore(key: key, bytes: bytes)
            } else {
                try operators[index].restore(outliersOf: key, bytes: bytes)
            }
        }
        for (path, bytes) in saved where path[0] == "joined" && path.count == 4 {
            guard let index = operators.firstIndex(where: { $0.view.definition.name == path[1] }) else { continue }
            var number = numbers[path[2]]
            if case .other(let stream, _)? = operators[index].place(ofJoined: path[3]) {
                number = EntityKey(bytes: path[2].utf8).flatMap { others[stream].engine.intake.keys.known($0) }
            }
            guard let key = number else { throw .damaged(view: path[1]) }
            try operators[index].restore(joined: path[3], key: key, bytes: bytes)
        }
        for (path, bytes) in saved where path[0] == "shared" && path.count == 2 {
            guard let index = operators.firstIndex(where: { $0.view.definition.name == path[1] }) else { continue }
            try operators[index].restore(shared: bytes)
        }
        for (entity, number) in numbers { try restoreDeduplication(entity, number, saved) }
    }

    private mutating func restoreOthers(_ saved: [[String]: [UInt8]]) throws(EngineState.Error) {
        for index in others.indices {
            let name = views.others[index].stream.name
            var entries: [EngineState.Entry] = []
            for (path, bytes) in saved where path.count > 2 && path[0] == "other" && path[1] == name {
                entries.append((JSONText.array(path.dropFirst(2).map { .string($0) }), bytes))
            }
            try others[index].engine.restore(entries)
        }
        do throws(BinaryReader.Damaged) { try merge.restore(saved) } catch { throw .damaged(view: "the order of streams") }
    }

    /// The saved entities in the order of their numbers: they get the same ones again.
    private static func keys(_ saved: [[String]: [UInt8]]) throws(EngineState.Error) -> [(entity: String, parts: [Value])] {
        var keys: [(number: Int64, entity: String, parts: [Value])] = []
        for (path, bytes) in saved where path[0] == "key" && path.count == 2 {
            do throws(BinaryReader.Damaged) {
                var reader = BinaryReader(bytes)
                let number = try reader.readInt()
                var parts: [Value] = []
                for _ in 0..<(try reader.readCount()) { parts.append(try reader.readValue()) }
                keys.append((number, path[1], parts))
            } catch { throw .damaged(view: "the key table") }
        }
        return keys.sorted { $0.number < $1.number }.map { ($0.entity, $0.parts) }
    }

    private mutating func restoreKey(_ parts: [Value]) throws(EngineState.Error) -> Int {
        do { return try intake.restoreKey(parts) } catch { throw .damaged(view: "the key table") }
    }

    private mutating func restoreDeduplication(
        _ entity: String, _ number: Int, _ saved: [[String]: [UInt8]]
    ) throws(EngineState.Error) {
        guard let position = saved[["dedupe", entity, "position"]] else { return }
        var segments: [[UInt8]] = []
        while let segment = saved[["dedupe", entity, "segment \(segments.count)"]] { segments.append(segment) }
        do throws(BinaryReader.Damaged) {
            try intake.restore(key: number, position: position, segments: segments)
        } catch { throw .damaged(view: "deduplication") }
    }

    private static func path(_ key: [UInt8]) -> [String]? {
        key.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            return try? scanner.stringArray()
        }
    }
}
