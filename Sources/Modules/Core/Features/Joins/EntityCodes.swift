import Table

/// The entities of a view's rows as small numbers, and which of them the rows of a spine are about.
///
/// Added key column by key column; a row with a null in any of them has no entity.
struct EntityCodes {
    /// Per row, below ``count``; -1 for none.
    private(set) var view: [Int32] = []
    /// Per row, the entity among those of the view; -1 for none that the view has.
    private(set) var spine: [Int32] = []
    private(set) var count = 0

    init() {}

    /// All rows are about the one entity there is: a key without columns.
    init(viewRows: Int, spineRows: Int) {
        view = [Int32](repeating: 0, count: viewRows)
        spine = [Int32](repeating: 0, count: spineRows)
        count = 1
    }

    /// Both columns are of ints or both of text.
    mutating func add(view right: Column, spine left: Column) {
        let isFirst = view.isEmpty && spine.isEmpty
        var own: [Int32], their: [Int32], number: Int
        switch (right.values, left.values) {
        case (.int(let a), .int(let b)): (own, their, number) = Self.codes(a, right.nulls, b, left.nulls)
        case (.string(let a), .string(let b)): (own, their, number) = Self.codes(a, right.nulls, b, left.nulls)
        default: (own, their, number) = ([Int32](repeating: -1, count: right.count), [Int32](repeating: -1, count: left.count), 0)
        }
        if !isFirst {
            // What names the entity so far and the new part together are one number again.
            (own, their, number) = Self.codes(Self.pairs(view, own), nil, Self.pairs(spine, their), nil, none: -1)
        }
        (view, spine, count) = (own, their, number)
    }

    private static func pairs(_ a: [Int32], _ b: [Int32]) -> [Int64] {
        zip(a, b).map { $0 < 0 || $1 < 0 ? -1 : Int64($0) << 32 | Int64($1) }
    }

    private static func codes<Part: Hashable>(
        _ view: [Part], _ viewNulls: [Bool]?, _ spine: [Part], _ spineNulls: [Bool]?, none: Part? = nil
    ) -> ([Int32], [Int32], Int) {
        var codes: [Part: Int32] = [:]
        var own = [Int32](repeating: -1, count: view.count), their = [Int32](repeating: -1, count: spine.count)
        for row in view.indices where !(viewNulls?[row] ?? false) && view[row] != none {
            // Rows of one entity often come together.
            if row > 0, own[row - 1] >= 0, view[row - 1] == view[row] {
                own[row] = own[row - 1]
                continue
            }
            let next = Int32(codes.count)
            own[row] = codes[view[row], default: next]
            if own[row] == next { codes[view[row]] = next }
        }
        for row in spine.indices where !(spineNulls?[row] ?? false) && spine[row] != none { their[row] = codes[spine[row]] ?? -1 }
        return (own, their, codes.count)
    }
}
