import Hummingbird
import Web

/// The address of a page: its path, its place in it, and what a person chose, made into addresses that differ in one choice.
struct PageQuery: Sendable {
    let path: String
    private(set) var pairs: [(name: String, value: String)]
    private let place: [String: String]

    /// More choices than a person makes; the rest is dropped.
    private static let maxPairs = 400

    init(path: String, pairs: [(name: String, value: String)] = [], place: [String: String] = [:]) {
        self.path = path
        self.pairs = pairs.filter { !$0.value.isEmpty }.prefix(Self.maxPairs).map { $0 }
        self.place = place
    }

    init(_ request: Request, _ context: WebContext? = nil) {
        var place: [String: String] = [:]
        for name in ["id", "name", "version"] {
            guard let raw = context?.parameters.get(name) else { continue }
            place[name] = URLText.decode(raw) ?? raw
        }
        self.init(path: request.uri.path, pairs: request.query, place: place)
    }

    /// A part of the path by the name it has in the route.
    func part(_ name: String) -> String { place[name] ?? "" }

    /// The last value given; empty without one.
    subscript(name: String) -> String { pairs.last { $0.name == name }?.value ?? "" }

    func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    func has(_ name: String) -> Bool { pairs.contains { $0.name == name } }

    /// A whole number inside `range`; `standard` for anything else.
    func int(_ name: String, _ range: ClosedRange<Int>, default standard: Int) -> Int {
        Int(self[name]).map { min(max($0, range.lowerBound), range.upperBound) } ?? standard
    }

    func number(_ name: String, _ range: ClosedRange<Double>, default standard: Double) -> Double {
        Double(self[name]).flatMap { $0.isFinite ? min(max($0, range.lowerBound), range.upperBound) : nil } ?? standard
    }

    // MARK: Addresses

    var address: String {
        guard !pairs.isEmpty else { return path }
        return path + "?" + pairs.map { URLText.encode($0.name) + "=" + URLText.encode($0.value) }.joined(separator: "&")
    }

    /// With one value for a name; none for `nil`.
    func setting(_ name: String, _ value: String?) -> PageQuery {
        var copy = without(name)
        if let value, !value.isEmpty { copy.pairs.append((name, value)) }
        return copy
    }

    func adding(_ name: String, _ value: String) -> PageQuery {
        var copy = self
        copy.pairs.append((name, value))
        return copy
    }

    func without(_ names: String...) -> PageQuery {
        var copy = self
        copy.pairs.removeAll { names.contains($0.name) }
        return copy
    }

    func removing(_ name: String, _ value: String) -> PageQuery {
        var copy = self
        copy.pairs.removeAll { $0.name == name && $0.value == value }
        return copy
    }

    /// The choices that a form has no field for, so that sending it keeps them.
    func hidden(except names: String...) -> HTML {
        pairs.filter { !names.contains($0.name) }
            .map { pair -> HTML in "<input type=\"hidden\" name=\"\(pair.name)\" value=\"\(pair.value)\">" }.joined()
    }
}
