import Domain

extension SequenceFunction {
    /// Operators of price and volume together.
    static let volume: [SequenceFunction] = [
        SequenceFunction(
            "obv(close, volume)",
            "On-balance volume: begins with the first volume, then adds it when the price rises and takes it when it falls.",
            inputs: 2, parameters: []
        ) { types, _ throws(ScalarFunction.Mismatch) in
            for (index, type) in types.enumerated() { try ScalarFunction.requireNumber(type, argument: index) }
            return OnBalanceVolume().kernel
        }
    ]
}

struct OnBalanceVolume: RealOperator {
    var inputs: Int { 2 }
    /// The balance, the last price.
    var reals: Int { 2 }

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
