import Domain

/// Appends JSON text piece by piece, without a tree in between.
///
/// Numbers that JSON cannot say follow protocol buffers: `"NaN"`, `"Infinity"`, `"-Infinity"` as text.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    /// The text of one object.
    package static func object(_ body: (inout JSONWriter) throws -> Void) rethrows -> [UInt8] {
        var writer = JSONWriter()
        try writer.object(body)
        return writer.bytes
    }

    @inlinable package mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        open(UInt8(ascii: "{"))
        try body(&self)
        close(UInt8(ascii: "}"))
    }

    @inlinable package mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        open(UInt8(ascii: "["))
        try body(&self)
        close(UInt8(ascii: "]"))
    }

    /// `"name":`; the value must follow.
    package mutating func key(_ name: String) {
        separate()
        JSONText.append(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func value(_ text: String) {
        separate()
        JSONText.append(text, to: &bytes)
        needsComma = true
    }

    package mutating func value(_ number: Int64) {
        separate()
        JSONText.append(number, to: &bytes)
        needsComma = true
    }

    package mutating func value(_ flag: Bool) { put { JSONText.append(.bool(flag), to: &$0) } }
    package mutating func null() { put { $0.append(contentsOf: "null".utf8) } }

    package mutating func value(_ number: Double) {
        guard number.isFinite else { return value(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity") }
        separate()
        JSONText.append(number, to: &bytes)
        needsComma = true
    }

    /// Text that is one JSON value already.
    package mutating func raw(_ json: some Sequence<UInt8>) { put { $0.append(contentsOf: json) } }

    /// Room for as many more bytes, to be taken at once.
    package mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

    // MARK: Messages whose frame is known

    /// The beginning of an object up to its first value: `{"key":`.
    package mutating func begin(_ frame: StaticString) {
        separate()
        inside(frame)
    }

    /// What stands between two values of the object that ``begin(_:)`` began, comma and all: `,"value":`.
    package mutating func inside(_ frame: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: frame.utf8Start, count: frame.utf8CodeUnitCount))
        needsComma = false
    }

    /// The end of the object that ``begin(_:)`` began.
    package mutating func end() { close(UInt8(ascii: "}")) }

    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let flag): self.value(flag)
        case .int(let number): self.value(number)
        case .double(let number): self.value(number)
        case .string(let text): self.value(text)
        case .array(let values): array { for value in values { $0.value(value) } }
        case .object(let members):
            object { writer in
                for member in members {
                    writer.key(member.key)
                    writer.value(member.value)
                }
            }
        }
    }

    package mutating func field(_ name: String, _ text: String) {
        key(name)
        value(text)
    }

    package mutating func field(_ name: String, _ number: Int64) {
        key(name)
        value(number)
    }

    package mutating func field(_ name: String, _ number: Double) {
        key(name)
        value(number)
    }

    package mutating func field(_ name: String, _ flag: Bool) {
        key(name)
        value(flag)
    }

    /// Nothing when the text is missing, as protocol buffers leave out unset fields.
    package mutating func field(_ name: String, _ text: String?) { if let text { field(name, text) } }
    package mutating func field(_ name: String, _ number: Int64?) { if let number { field(name, number) } }

    /// Nothing when there are no elements.
    @inlinable package mutating func list<Elements: Collection>(
        _ name: String, _ elements: Elements, _ each: (inout JSONWriter, Elements.Element) throws -> Void
    ) rethrows {
        guard !elements.isEmpty else { return }
        key(name)
        try array { for element in elements { try each(&$0, element) } }
    }

    @usableFromInline mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    @usableFromInline mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func put(_ append: (inout [UInt8]) -> Void) {
        separate()
        append(&bytes)
        needsComma = true
    }

    private mutating func separate() { if needsComma { bytes.append(UInt8(ascii: ",")) } }
}
