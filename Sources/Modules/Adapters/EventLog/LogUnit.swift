package import Domain

/// The atomic unit of a stateful role: what it wrote, what it remembers, and where it goes on reading.
package struct LogUnit: Sendable {
    package struct Output: Sendable {
        package let topic: String
        package var records: [Record]
        /// The partition for all the records; `nil` lets each key choose. A stateful role keeps its input's partition.
        package let partition: Int?

        package init(topic: String, records: [Record], partition: Int? = nil) {
            self.topic = topic
            self.records = records
            self.partition = partition
        }
    }

    package struct StateChange: Sendable {
        package let key: [UInt8]
        /// `nil` forgets the key.
        package let value: [UInt8]?

        package init(key: [UInt8], value: [UInt8]?) {
            self.key = key
            self.value = value
        }
    }

    package struct Position: Sendable {
        package let topic: String
        package let partition: Int
        package let next: Int64

        package init(topic: String, partition: Int, next: Int64) {
            self.topic = topic
            self.partition = partition
            self.next = next
        }
    }

    package let group: String
    /// The partition of the group's work that the state belongs to.
    package let partition: Int
    package var outputs: [Output]
    package var state: [StateChange]
    package var offsets: [Position]
    /// Must still be held when the unit is written.
    package var lease: Lease?

    package init(
        group: String, partition: Int = 0, outputs: [Output] = [], state: [StateChange] = [], offsets: [Position] = [],
        lease: Lease? = nil
    ) {
        self.group = group
        self.partition = partition
        self.outputs = outputs
        self.state = state
        self.offsets = offsets
        self.lease = lease
    }
}
