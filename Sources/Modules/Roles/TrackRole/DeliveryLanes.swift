import DequeModule

/// Deliveries that wait, by receiver: each receiver takes one after the other, in order, and keeps none of the others waiting.
struct DeliveryLanes<Delivery: Sendable>: Sendable {
    /// Per receiver; beyond it the oldest is given up.
    let maxWaiting: Int
    /// A receiver is here while somebody delivers to it.
    private var waiting: [String: Deque<Delivery>] = [:]

    init(maxWaiting: Int) { self.maxWaiting = maxWaiting }

    struct Offer: Sendable, Equatable {
        /// Nobody delivers to the receiver yet: whoever offers begins to.
        var startsLane = false
        var dropsOldest = false
    }

    var laneCount: Int { waiting.count }

    mutating func offer(_ delivery: Delivery, to receiver: String) -> Offer {
        var offer = Offer(startsLane: waiting[receiver] == nil)
        var lane = waiting[receiver] ?? []
        if lane.count >= maxWaiting {
            lane.removeFirst()
            offer.dropsOldest = true
        }
        lane.append(delivery)
        waiting[receiver] = lane
        return offer
    }

    /// What to deliver next; with the last one the lane ends.
    mutating func next(for receiver: String) -> Delivery? {
        let next = waiting[receiver]?.popFirst()
        if next == nil { waiting[receiver] = nil }
        return next
    }
}
