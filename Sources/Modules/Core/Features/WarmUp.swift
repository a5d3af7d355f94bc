import Expressions
import Streaming

extension CompiledViews {
    /// How many rows of an entity come before the first value of each column of a view, because sequence operators look back; 0 where
    /// none does. A null input makes it longer.
    package func warmUp(of view: String) -> [String: Int] {
        guard let index = views.firstIndex(where: { $0.definition.name == view }), case .rows(let program) = views[index].program else {
            return [:]
        }
        return program.warmUp(inputs: upstream[index].map { warmUp(of: views[$0].definition.name) } ?? [:])
    }
}
