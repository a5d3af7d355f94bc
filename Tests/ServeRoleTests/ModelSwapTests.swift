import Domain
import Testing

@testable import ServeRole

@Suite struct ModelSwapTests {
    private let start = ContinuousClock.now

    private func target(_ number: Int, _ alias: String = "champion") -> ModelSwap.Target {
        .init(version: ModelVersion(model: "m", number: number), alias: alias)
    }

    @Test func `the first version found is loaded and then kept`() {
        var swap = ModelSwap()
        #expect(swap.resolved(target(1), at: start) == .load(target(1)))
        swap.finished()
        #expect(swap.serving == target(1))
        #expect(swap.resolved(target(1), at: start) == .keep)
    }

    @Test func `while one version is loaded no other is begun`() {
        var swap = ModelSwap()
        _ = swap.resolved(target(1), at: start)
        #expect(swap.resolved(target(2), at: start) == .keep)
        swap.finished()
        #expect(swap.resolved(target(2), at: start) == .load(target(2)))
        #expect(swap.serving == target(1))
    }

    @Test func `an alias that disappears changes nothing`() {
        var swap = ModelSwap()
        #expect(swap.resolved(nil, at: start) == .keep)
        _ = swap.resolved(target(1), at: start)
        swap.finished()
        #expect(swap.resolved(nil, at: start) == .keep)
        #expect(swap.serving == target(1))
    }

    @Test func `the same version under another alias is not loaded again`() {
        var swap = ModelSwap()
        _ = swap.resolved(target(1, "baseline"), at: start)
        swap.finished()
        #expect(swap.resolved(target(1), at: start) == .rename(target(1)))
        #expect(swap.serving == target(1))
    }

    @Test func `a version that cannot be loaded leaves the old one, and is tried again ever more rarely`() {
        var swap = ModelSwap()
        _ = swap.resolved(target(1), at: start)
        swap.finished()
        var now = start
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            #expect(swap.resolved(target(2), at: now) == .load(target(2)))
            swap.failed(at: now)
            #expect(swap.serving == target(1))
            #expect(swap.resolved(target(2), at: now + .seconds(wait) - .milliseconds(1)) == .keep)
            now += .seconds(wait)
        }
        #expect(swap.resolved(target(3), at: now) == .load(target(3)))
    }

    @Test func `going back to the old version needs no waiting`() {
        var swap = ModelSwap()
        _ = swap.resolved(target(1), at: start)
        swap.finished()
        _ = swap.resolved(target(2), at: start)
        swap.failed(at: start)
        #expect(swap.resolved(target(1), at: start) == .keep)
    }
}
