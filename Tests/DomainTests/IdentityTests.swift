import Domain
import Testing

@Suite struct IdentityTests {
    @Test func `the hash of a text is its SHA-256`() {
        #expect(ContentHash(of: "abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(ContentHash(hex: "ABC") == nil)
        #expect(ContentHash(hex: ContentHash(of: "").hex) == ContentHash(of: ""))
    }

    @Test func `a version 7 UUID carries its time, version and variant`() {
        let id = UUIDv7.make(milliseconds: 0x0190_1234_5678, random: (.max, .max))
        #expect(id == "01901234-5678-7fff-bfff-ffffffffffff")
        #expect(UUIDv7.make(milliseconds: 1, random: (0, 0)) == "00000000-0001-7000-8000-000000000000")
    }

    @Test func `a seed gives the reference stream of its generator`() {
        // SplitMix64(0) → xoshiro256**, first outputs as the reference C code prints them.
        var random = RandomSource(seed: 0)
        #expect(random.next() == 11_091_344_671_253_066_420)
        #expect(random.next() == 13_793_997_310_169_335_082)
        var uniform = RandomSource(seed: 3)
        for _ in 0..<1_000 {
            let value = uniform.uniform()
            #expect(value >= 0 && value < 1)
            #expect((0..<7).contains(uniform.index(below: 7)))
        }
    }

    @Test(arguments: [("windwo", "window"), ("pric", "price"), ("Price", "price"), ("volumes", "volume")])
    func `the nearest spelling is suggested`(wrong: String, right: String) {
        #expect(SpellingSuggestion.nearest(to: wrong, among: ["window", "price", "volume", "quantity"]) == right)
    }

    @Test func `a name far from all others gets no suggestion but the list`() {
        #expect(SpellingSuggestion.nearest(to: "zzzz", among: ["window", "price"]) == nil)
        #expect(SpellingSuggestion.hint(for: "zzzz", among: ["b", "a"]) == "; known: a, b")
    }
}
