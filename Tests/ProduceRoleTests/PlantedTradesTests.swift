import Domain
import Foundation
import Project
import Testing

@testable import ProduceRole

@Suite struct PlantedTradesTests {
    private func definition(_ change: (inout Planting) -> Void) -> SyntheticDefinition {
        var planting = Planting()
        change(&planting)
        return SyntheticDefinition(pairs: ["A", "B"], rate: 10, seed: 3, planting: planting)
    }

    private func run(_ definition: SyntheticDefinition, end: Int64 = 3_600_000) -> (items: [PlantedTrades.Item], truth: [String]) {
        var trades = PlantedTrades(definition, rate: definition.rate, start: 0, end: end)
        var items: [PlantedTrades.Item] = [], truth: [Truth] = []
        while let item = trades.next() {
            items.append(item)
            truth += trades.takeTruth()
        }
        return (items, truth.map { String(decoding: $0.json, as: UTF8.self) })
    }

    private var plain: [SyntheticTrades.Trade] { run(definition { _ in }).items.map(\.trade) }

    @Test func `without planting the trades are those of the seed`() {
        var trades = SyntheticTrades(pairs: ["A", "B"], rate: 10, seed: 3, start: 0)
        #expect(plain.count > 30_000 && plain.allSatisfy { $0 == trades.next() })
    }

    @Test func `everything planted is told, and the same seed plants the same`() {
        let all = definition {
            $0.drift = .init(after: 1_800_000, over: 60_000, price: 1.5, quantity: 2)
            $0.gaps = .init(every: 600_000, length: 60_000)
            $0.duplicates = 0.01
            $0.late = .init(share: 0.01, by: 90_000)
            $0.outliers = .init(share: 0.001, factor: 10)
            $0.categories = [.init(field: "side", values: ["SHOE", "DRESS"])]
            $0.dirt = 0.2
        }
        let first = run(all), second = run(all)
        #expect(first.items == second.items && first.truth == second.truth)
        for kind in ["drift", "gap", "duplicate", "late", "outlier", "category"] {
            #expect(first.truth.contains { $0.hasPrefix("{\"kind\":\"\(kind)\"") }, "no \(kind)")
        }
    }

    @Test func `a duplicate follows its original and both are the same`() {
        let found = run(definition { $0.duplicates = 0.05 })
        let repeats = zip(found.items, found.items.dropFirst()).filter { $0 == $1 }
        #expect(repeats.count == found.truth.count && repeats.count > 1_000)
        #expect(found.items.count == plain.count + repeats.count)
    }

    @Test func `a late event comes as late as was said, and none is lost but those after the end`() {
        let found = run(definition { $0.late = .init(share: 0.02, by: 90_000) })
        var clock: Int64 = 0, late = 0
        for item in found.items {
            if item.trade.time < clock - 80_000 { late += 1 }
            clock = max(clock, item.trade.time)
        }
        #expect(late > 400 && late == found.truth.count)
        #expect(Set(found.items.map { "\($0.trade.pair)\($0.trade.id)" }).count == found.items.count)
        let missing = plain.count - found.items.count
        #expect(missing > 0 && missing < 60, "only those that would come after the end")
    }

    @Test func `in a gap its pair is silent and the other is not`() throws {
        let found = run(definition { $0.gaps = .init(every: 600_000, length: 60_000) })
        #expect(found.truth.count == 6)
        for line in found.truth {
            let gap = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let pair = try #require(gap["pair"] as? String), from = try #require(gap["from_ms"] as? Int64)
            let to = try #require(gap["to_ms"] as? Int64), withheld = try #require(gap["withheld"] as? Int)
            let inside = found.items.filter { $0.trade.time >= from && $0.trade.time < to }
            #expect(to - from == 60_000 && !inside.isEmpty && inside.allSatisfy { $0.trade.pair != pair })
            #expect(plain.count { $0.pair == pair && $0.time >= from && $0.time < to } == withheld)
        }
    }

    @Test func `an outlier is off by the factor, up or down`() {
        let found = run(definition { $0.outliers = .init(share: 0.01, factor: 10) })
        let ratios = zip(found.items, plain).map { $0.trade.price / $1.price }
        let high = ratios.count { abs($0 - 10) < 0.01 }, low = ratios.count { abs($0 - 0.1) < 0.001 }
        #expect(high > 100 && low > 100 && high + low == found.truth.count)
        #expect(ratios.count { $0 == 1 } == ratios.count - high - low)
    }

    @Test func `a drift moves prices and quantities to their factor and keeps them there`() {
        let found = run(definition { $0.drift = .init(after: 1_000_000, over: 500_000, price: 2, quantity: 3) })
        for (item, trade) in zip(found.items, plain) {
            let ratio = item.trade.price / trade.price
            if trade.time < 1_000_000 { #expect(ratio == 1) }
            if trade.time == 1_250_000 { #expect(abs(ratio - 1.5) < 0.01) }
            if trade.time >= 1_500_000 { #expect(abs(ratio - 2) < 0.001) }
        }
        #expect(found.truth == [#"{"kind":"drift","from_ms":1000000,"to_ms":1500000,"price":2.0,"quantity":3.0}"#])
    }

    @Test func `categories are misspelled in the ways of people`() {
        let found = run(
            definition {
                $0.categories = [.init(field: "product_type", values: ["shoe", "dress"])]
                $0.dirt = 0.5
            }, end: 600_000)
        let spellings = Set(found.items.flatMap(\.categories))
        #expect(
            spellings == ["shoe", "SHOE", "Shoe", "shoes", " shoe  ", "dress", "DRESS", "Dress", "dresses", " dress  "])
        #expect(found.truth.count == found.items.count { !["shoe", "dress"].contains($0.categories[0]) })
        #expect(found.truth[0].contains(#""field":"product_type","value":"#))
    }

    @Test func `the events up to a time do not depend on when the source ends`() {
        let all = definition {
            $0.late = .init(share: 0.05, by: 90_000)
            $0.duplicates = 0.05
            $0.gaps = .init(every: 600_000, length: 60_000)
        }
        let short = run(all, end: 700_000), long = run(all, end: 1_400_000)
        #expect(short.items == Array(long.items.prefix(short.items.count)))
        #expect(long.items.count > short.items.count + 5_000)
    }

    @Test func `the truth file is the same after a restart`() throws {
        let folder = try Folder()
        let planted = definition { $0.duplicates = 0.02 }
        let whole = synthetic(planted, duration: 600_000, truth: try TruthFile(path: folder.path + "/whole"))
        while case let events = try whole.next(1_000), !events.isEmpty {}
        let part = synthetic(planted, duration: 600_000, truth: try TruthFile(path: folder.path + "/again"))
        _ = try part.next(2_000)
        let again = synthetic(planted, duration: 600_000, truth: try TruthFile(path: folder.path + "/again"))
        while case let events = try again.next(700), !events.isEmpty {}
        let texts = try ["whole", "again"].map { try String(contentsOfFile: folder.path + "/" + $0, encoding: .utf8) }
        #expect(texts[0] == texts[1] && texts[0].split(separator: "\n").count > 50)
    }
}
