import Metrics

/// What is counted about an exchange.
struct MarketMeters: Sendable {
    let connections, repeats, gaps, repaired, lost, malformed: Counter

    init(source: String) {
        func counter(_ name: String) -> Counter { Counter(label: "mlops_market_\(name)_total", dimensions: [("source", source)]) }
        connections = counter("connections")
        repeats = counter("repeats")
        gaps = counter("gaps")
        repaired = counter("repaired_trades")
        lost = counter("lost_trades")
        malformed = counter("malformed_messages")
    }
}
