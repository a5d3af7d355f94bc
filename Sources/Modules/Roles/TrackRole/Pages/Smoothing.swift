/// An exponential moving average without the bias towards zero that its start would bring.
enum Smoothing {
    /// The largest weight that still moves.
    static let range = 0.0...0.99

    /// - Parameter weight: Of what came before; 0 changes nothing.
    /// - Returns: As many values; one that is not finite stays what it is and does not count.
    static func average(_ values: [Double], weight: Double) -> [Double] {
        guard weight > 0 else { return values }
        var average = 0.0, share = 1.0
        return values.map { value in
            guard value.isFinite else { return value }
            average = average * weight + (1 - weight) * value
            share *= weight
            return average / (1 - share)
        }
    }
}
