/// A registered version of a model: what `serve` loads and what a prediction names.
package struct ModelVersion: Hashable, Sendable, CustomStringConvertible {
    package let model: String
    /// Counts from 1 within a model.
    package let number: Int

    package init(model: String, number: Int) {
        self.model = model
        self.number = number
    }

    package var description: String { "\(model)/\(number)" }
}
