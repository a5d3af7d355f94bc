import Domain
import Table

/// A row that an outlier rule held back and that has been released: from there on it is one of its view's.
struct ReleasedRow: Sendable {
    /// One row.
    let rows: ViewRows
    /// Of the release in the log.
    let offset: Int64
}

/// The releases among the records of a stream.
///
/// A release is a record of the log like any other, and carries the row it releases: so the row takes the same place among its
/// entity's rows live, replayed and after a crash, and views downstream see it there. It holds for the definitions that the row was
/// computed by; under others it says nothing.
struct Releases: Sendable {
    private struct Pending {
        let view: String
        let key: EntityKey?
        let value: [UInt8]
        let header: [UInt8]?
        let offset: Int64
    }

    private struct Refused: Error {
        let reason: String
    }

    private let views: [CompiledView]
    private var pending: [Pending] = []

    init(_ views: [CompiledView]) { self.views = views }

    var count: Int { pending.count }

    mutating func add(
        _ value: UnsafeRawBufferPointer?, of view: String, key: EntityKey?, header: UnsafeRawBufferPointer?, offset: Int64
    ) {
        pending.append(
            Pending(view: view, key: key, value: value.map(Array.init) ?? [], header: header.map(Array.init), offset: offset))
    }

    /// The rows released since the last call, by the position of their view; what cannot be released is told why.
    mutating func take(_ keys: KeyIndex) -> (rows: [Int: [ReleasedRow]], dead: [DeadRecord]) {
        defer { pending.removeAll() }
        var rows: [Int: [ReleasedRow]] = [:], dead: [DeadRecord] = []
        for release in pending {
            do throws(Refused) {
                let (view, row) = try self.row(release, keys)
                rows[view, default: []].append(ReleasedRow(rows: row, offset: release.offset))
            } catch { dead.append(DeadRecord(offset: release.offset, reason: error.reason)) }
        }
        return (rows, dead)
    }

    private func row(_ release: Pending, _ keys: KeyIndex) throws(Refused) -> (view: Int, row: ViewRows) {
        guard let index = views.firstIndex(where: { $0.definition.name == release.view }),
            views[index].definition.outliers?.action == .quarantine
        else { throw Refused(reason: "a release of a row of \"\(release.view)\", where nothing is held back") }
        guard let key = release.key.flatMap({ keys.known($0) }) else { throw Refused(reason: "a release for an unknown entity") }
        let view = views[index]
        if let header = release.header, !header.withUnsafeBytes({ view.mark.isPresent($0) }) {
            throw Refused(reason: "a release of a row that was computed with other definitions of \"\(release.view)\"")
        }
        var reader = ViewRowReader(view)
        guard release.value.withUnsafeBytes({ reader.append($0, header: nil) }) else {
            throw Refused(reason: "a release of what is no row of \"\(release.view)\": \(reader.refusal)")
        }
        guard let table = try? Table(reader.finish().columns), table["is_final"]?[0] != .bool(false) else {
            throw Refused(reason: "a release of a row that is not final")
        }
        return (index, ViewRows(table: table, keyOfRow: [key], causes: [release.offset]))
    }
}
