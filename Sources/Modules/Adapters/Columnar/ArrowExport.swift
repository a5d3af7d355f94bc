import CArrow
import Domain
import Table

/// Tables as structs of Arrow's C data interface. Whoever imports them releases them.
enum ArrowExport {
    /// A struct schema with one nullable field a column.
    static func schema(_ columns: [(name: String, type: ValueType)]) -> ArrowSchema {
        let owner = Owner()
        let children = columns.map { column in
            let owner = Owner()
            var child = ArrowSchema()
            child.format = owner.text(format(column.type))
            child.name = owner.text(column.name)
            child.flags = Int64(ARROW_FLAG_NULLABLE)
            child.release = releaseSchema
            child.private_data = owner.retained()
            return child
        }
        var schema = ArrowSchema()
        schema.format = owner.text("+s")
        schema.name = owner.text("")
        schema.n_children = Int64(children.count)
        schema.children = owner.pointers(children)
        schema.release = releaseSchema
        schema.private_data = owner.retained()
        return schema
    }

    /// The rows of a table as a struct array.
    static func batch(_ table: Table) -> ArrowArray {
        let owner = Owner()
        var batch = ArrowArray()
        batch.length = Int64(table.rowCount)
        batch.n_buffers = 1
        batch.buffers = owner.buffers([nil])
        batch.n_children = Int64(table.columns.count)
        batch.children = owner.pointers(table.columns.map(array))
        batch.release = releaseArray
        batch.private_data = owner.retained()
        return batch
    }

    private static func format(_ type: ValueType) -> String {
        switch type {
        case .bool: "b"
        case .int: "l"
        case .double: "g"
        case .string: "U"
        case .time: "tsm:UTC"
        }
    }

    private static func array(_ column: Column) -> ArrowArray {
        let owner = Owner()
        let validity = column.nulls.map { owner.bits($0, inverted: true) }
        let buffers: [UnsafeRawPointer?] =
            switch column.values {
            case .bool(let values): [validity, owner.bits(values)]
            case .int(let values), .time(let values): [validity, owner.copy(values)]
            case .double(let values): [validity, owner.copy(values)]
            case .string(let values): [validity] + owner.texts(values)
            }
        var array = ArrowArray()
        array.length = Int64(column.count)
        array.null_count = Int64(column.nullCount)
        array.n_buffers = Int64(buffers.count)
        array.buffers = owner.buffers(buffers)
        array.release = releaseArray
        array.private_data = owner.retained()
        return array
    }

    /// Memory that lives until the struct it belongs to is released.
    private final class Owner {
        private var allocations: [UnsafeMutableRawPointer] = []

        deinit { for allocation in allocations { allocation.deallocate() } }

        func retained() -> UnsafeMutableRawPointer { Unmanaged.passRetained(self).toOpaque() }

        private func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
            let allocation = UnsafeMutableRawPointer.allocate(byteCount: max(1, byteCount), alignment: 64)
            allocations.append(allocation)
            return allocation
        }

        func copy<T>(_ values: [T]) -> UnsafeRawPointer {
            let byteCount = values.count * MemoryLayout<T>.stride
            let allocation = allocate(byteCount)
            values.withUnsafeBytes { if let base = $0.baseAddress { allocation.copyMemory(from: base, byteCount: byteCount) } }
            return UnsafeRawPointer(allocation)
        }

        func text(_ text: String) -> UnsafePointer<CChar> {
            copy(Array(text.utf8CString)).assumingMemoryBound(to: CChar.self)
        }

        func bits(_ flags: [Bool], inverted: Bool = false) -> UnsafeRawPointer {
            let allocation = allocate((flags.count + 7) / 8)
            flags.withUnsafeBufferPointer { flags in
                for byte in 0..<(flags.count + 7) / 8 {
                    var bits: UInt8 = 0
                    for place in byte * 8..<min(byte * 8 + 8, flags.count) where flags[place] != inverted { bits |= 1 << (place & 7) }
                    allocation.storeBytes(of: bits, toByteOffset: byte, as: UInt8.self)
                }
            }
            return UnsafeRawPointer(allocation)
        }

        /// Offsets, then bytes.
        func texts(_ texts: [String]) -> [UnsafeRawPointer?] {
            var offsets: [Int64] = [0], bytes: [UInt8] = []
            offsets.reserveCapacity(texts.count + 1)
            for text in texts {
                bytes.append(contentsOf: text.utf8)
                offsets.append(Int64(bytes.count))
            }
            return [copy(offsets), copy(bytes)]
        }

        func buffers(_ buffers: [UnsafeRawPointer?]) -> UnsafeMutablePointer<UnsafeRawPointer?> {
            let array = allocate(buffers.count * MemoryLayout<UnsafeRawPointer?>.stride).bindMemory(
                to: UnsafeRawPointer?.self, capacity: buffers.count)
            array.initialize(from: buffers, count: buffers.count)
            return array
        }

        /// Pointers to copies of the structs.
        func pointers<T>(_ structs: [T]) -> UnsafeMutablePointer<UnsafeMutablePointer<T>?> {
            let array = allocate(structs.count * MemoryLayout<UnsafeMutablePointer<T>?>.stride).bindMemory(
                to: UnsafeMutablePointer<T>?.self, capacity: structs.count)
            for (index, value) in structs.enumerated() {
                let copy = allocate(MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: 1)
                copy.initialize(to: value)
                (array + index).initialize(to: copy)
            }
            return array
        }
    }

    private static let releaseSchema: @convention(c) (UnsafeMutablePointer<ArrowSchema>?) -> Void = { schema in
        guard let schema, let owner = schema.pointee.private_data else { return }
        for index in 0..<Int(schema.pointee.n_children) {
            // A child that was moved out has no release of its own any more.
            if let child = schema.pointee.children[index] { child.pointee.release?(child) }
        }
        schema.pointee.release = nil
        Unmanaged<Owner>.fromOpaque(owner).release()
    }

    private static let releaseArray: @convention(c) (UnsafeMutablePointer<ArrowArray>?) -> Void = { array in
        guard let array, let owner = array.pointee.private_data else { return }
        for index in 0..<Int(array.pointee.n_children) {
            if let child = array.pointee.children[index] { child.pointee.release?(child) }
        }
        array.pointee.release = nil
        Unmanaged<Owner>.fromOpaque(owner).release()
    }
}
