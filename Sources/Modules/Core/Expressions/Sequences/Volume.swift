import Domain

extension SequenceFunction {
    /// Operators of price and volume together.
    static let volume: [SequenceFunction] = [
        real(
            "obv(close, volume)",
            "On-balance volume: begins with the first volume, then adds it when the price rises and takes it when it falls.",
            inputs: 2, parameters: []
        ) { _ in OnBalanceVolume().kernel },
        real(
            "mfi(high, low, close, volume, n)",
            "The money flow index over n moves, 0 to 100; 0 when less than 1 has flowed.",
            inputs: 4, parameters: [.rows(from: 2)]
        ) { MoneyFlow(rows: $0[0]).kernel },
    ]
}

struct OnBalanceVolume: RealOperator {
    var inputs: Int { 2 }
    /// The balance, the last price.
    var reals: Int { 2 }
    var warmUp: Int { 0 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let price = input[0], volume = input[1], reals = memory.reals
        if memory.seen == 0 || price > reals[1] {
            reals[0] += volume
        } else if price < reals[1] {
            reals[0] -= volume
        }
        reals[1] = price
        memory.seen = memory.seen &+ 1
        output[0] = reals[0]
        memory.restart(2, unless: reals[0].isFinite)
    }
}

/// The share of rising rows in the money that flowed, typical price times volume; a row at an unchanged price flows
/// nowhere.
struct MoneyFlow: RealOperator {
    private let flow: RealWindow

    init(rows: Int) { flow = RealWindow(rows: rows, fold: .sum) }

    var inputs: Int { 4 }
    /// The last typical price, rising flows, falling flows.
    var reals: Int { 1 + 2 * flow.reals }
    var ints: Int { 3 }
    var warmUp: Int { flow.rows }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let price = (input[0] + input[1] + input[2]) / 3, last = memory.reals[0], isFirst = memory.seen == 0
        memory.reals[0] = price
        memory.seen = memory.seen &+ 1
        guard !isFirst else { return }
        let amount = price * input[3]
        let rising = flow.add(price > last ? amount : 0, memory.part(reals: 1, ints: 1))
        let falling = flow.add(price < last ? amount : 0, memory.part(reals: 1 + flow.reals, ints: 2))
        guard let rising, let falling else { return }
        output[0] = rising + falling < 1 ? 0 : 100 * (rising / (rising + falling))
    }
}
