import CYAML
import Domain

/// libyaml's parser as a sequence of events, each with its place.
final class EventReader {
    enum Event {
        case streamStart, documentStart, documentEnd, streamEnd, listEnd, mapEnd
        case alias(String)
        case scalar(String, isQuoted: Bool, tag: String?, anchor: String?)
        case listStart(tag: String?, anchor: String?)
        case mapStart(tag: String?, anchor: String?)
    }

    let file: String
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// The parser keeps a pointer into this.
    private let input: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: [UInt8], file: String) throws(YAMLError) {
        self.file = file
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        input = .allocate(capacity: bytes.count)
        _ = input.initialize(from: bytes)
        guard yaml_parser_initialize(parser) == 1 else { throw YAMLError(.unreadable, file: file, at: nil, "out of memory") }
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    func next() throws(YAMLError) -> (event: Event, at: SourceNode.Position) {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        return (Self.event(event), Self.position(event.start_mark))
    }

    private static func event(_ event: yaml_event_t) -> Event {
        switch event.type {
        case YAML_STREAM_START_EVENT: return .streamStart
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_SEQUENCE_END_EVENT: return .listEnd
        case YAML_MAPPING_END_EVENT: return .mapEnd
        case YAML_ALIAS_EVENT: return .alias(text(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let value = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return .scalar(value, isQuoted: scalar.style != YAML_PLAIN_SCALAR_STYLE, tag: text(scalar.tag), anchor: text(scalar.anchor))
        case YAML_SEQUENCE_START_EVENT:
            return .listStart(tag: text(event.data.sequence_start.tag), anchor: text(event.data.sequence_start.anchor))
        case YAML_MAPPING_START_EVENT:
            return .mapStart(tag: text(event.data.mapping_start.tag), anchor: text(event.data.mapping_start.anchor))
        default: return .streamEnd
        }
    }

    private static func text(_ bytes: UnsafeMutablePointer<UInt8>?) -> String? {
        bytes.map { String(cString: UnsafePointer($0)) }
    }

    private static func position(_ mark: yaml_mark_t) -> SourceNode.Position {
        SourceNode.Position(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }

    private func failure() -> YAMLError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
        if parser.pointee.error == YAML_MEMORY_ERROR { return YAMLError(.unreadable, file: file, at: nil, "out of memory") }
        if parser.pointee.error == YAML_READER_ERROR {
            // Bytes that are no text have no mark, only an offset.
            let before = input.prefix(Int(parser.pointee.problem_offset))
            let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            let position = SourceNode.Position(line: before.count { $0 == UInt8(ascii: "\n") } + 1, column: before.count - lineStart + 1)
            return YAMLError(.syntax, file: file, at: position, problem)
        }
        let context = parser.pointee.context.map { " " + String(cString: $0) } ?? ""
        return YAMLError(.syntax, file: file, at: Self.position(parser.pointee.problem_mark), problem + context)
    }
}
