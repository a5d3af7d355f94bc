import CRDKafka
import Synchronization

/// What became of a number of records that were handed to a producer.
///
/// The library holds a plain pointer to a slot of it with each record, so it keeps itself alive until all are reported on.
final class Delivery: @unchecked Sendable {
    /// A record that did not arrive.
    struct Loss: Sendable {
        let index: Int
        let failure: KafkaFailure
        /// The broker may have it all the same.
        let isUncertain: Bool
    }

    private struct Slot {
        let delivery: Unmanaged<Delivery>
        let index: Int
    }

    private struct State {
        var losses: [Loss] = []
        var waiter: CheckedContinuation<Void, Never>?
        var isDone = false
    }

    private let slots: UnsafeMutableBufferPointer<Slot>
    private let outstanding: Atomic<Int>
    private let state = Mutex(State())
    private let last = Atomic<Int64>(-1)

    init(count: Int) {
        outstanding = Atomic(count)
        slots = .allocate(capacity: count)
        if count == 0 {
            state.withLock { $0.isDone = true }
        } else {
            let retained = Unmanaged.passRetained(self)
            for index in 0..<count { slots.initializeElement(at: index, to: Slot(delivery: retained, index: index)) }
        }
    }

    deinit { slots.deallocate() }

    /// What the library is to hand back with its report on a record.
    func opaque(_ index: Int) -> UnsafeMutableRawPointer? { slots.baseAddress.map { UnsafeMutableRawPointer($0 + index) } }

    /// What did not arrive, by index.
    var losses: [Loss] { state.withLock { $0.losses }.sorted { $0.index < $1.index } }
    var isDone: Bool { state.withLock { $0.isDone } }
    /// The greatest offset that a record was given; −1 before the first.
    var lastOffset: Int64 { last.load(ordering: .acquiring) }

    /// The library's report on one record.
    static func note(_ message: UnsafePointer<rd_kafka_message_t>) {
        guard let slot = message.pointee._private?.assumingMemoryBound(to: Slot.self).pointee else { return }
        let delivery = slot.delivery.takeUnretainedValue()
        if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            delivery.last.max(message.pointee.offset, ordering: .relaxed)
            delivery.settle(1)
        } else {
            let isUncertain = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
            delivery.lose(slot.index, KafkaFailure(message.pointee.err), isUncertain: isUncertain)
        }
    }

    func lose(_ index: Int, _ failure: KafkaFailure, isUncertain: Bool = false) {
        state.withLock { $0.losses.append(Loss(index: index, failure: failure, isUncertain: isUncertain)) }
        settle(1)
    }

    private func settle(_ count: Int) {
        guard outstanding.subtract(count, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        let waiter = state.withLock { state in
            state.isDone = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
        Unmanaged.passUnretained(self).release()
    }

    /// Returns when every record has been reported on; the library reports each within its delivery time-out.
    func finished() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if !state.isDone { state.waiter = continuation }
                return state.isDone
            }
            if isDone { continuation.resume() }
        }
    }
}
