import CoreMetrics
import Synchronization

/// A count that only grows, in one series.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
    private let state = Mutex((whole: Int64(0), fraction: 0.0))

    var value: Double { state.withLock { Double($0.whole) + $0.fraction } }

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        state.withLock { $0.whole = $0.whole.addingReportingOverflow(amount).overflow ? .max : $0.whole + amount }
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        state.withLock { $0.fraction += amount }
    }

    func reset() { state.withLock { $0 = (0, 0) } }
}

/// The present value of something that goes up and down, in one series.
final class GaugeSeries: MeterHandler, RecorderHandler {
    private let state = Mutex(0.0)

    var value: Double { state.withLock { $0 } }

    func set(_ value: Int64) { state.withLock { $0 = Double(value) } }
    func set(_ value: Double) { state.withLock { $0 = value } }
    func increment(by amount: Double) { state.withLock { $0 += amount } }
    func decrement(by amount: Double) { state.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }
}

/// A distribution over fixed buckets, in one series. A timer records seconds.
final class HistogramSeries: RecorderHandler, TimerHandler {
    struct Reading {
        /// Observations per bucket, not cumulated; the last one is beyond the greatest bound.
        var counts: [UInt64]
        var sum: Double
    }

    /// Upper bounds, inclusive, ascending.
    let bounds: [Double]
    private let state: Mutex<Reading>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(Reading(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0))
    }

    var reading: Reading { state.withLock { $0 } }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[bucket] += 1
            $0.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}

/// Takes values and keeps none: what a name gets that is already in use for another kind of metric.
final class DiscardedSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    func increment(by: Int64) {}
    func increment(by: Double) {}
    func decrement(by: Double) {}
    func reset() {}
    func set(_: Int64) {}
    func set(_: Double) {}
    func record(_: Int64) {}
    func record(_: Double) {}
    func recordNanoseconds(_: Int64) {}
}
