import Testing

@testable import Web

@Suite struct PublicAddressTests {
    @Test(
        arguments: [
            ([8, 8, 8, 8], true), ([172, 15, 0, 1], true), ([172, 32, 0, 1], true), ([10, 0, 0, 1], false), ([172, 16, 0, 1], false),
            ([172, 31, 255, 255], false), ([192, 168, 1, 1], false), ([127, 0, 0, 1], false), ([169, 254, 169, 254], false),
            ([0, 0, 0, 0], false),
            ([100, 64, 0, 1], false), ([100, 128, 0, 1], true), ([224, 0, 0, 1], false), ([255, 255, 255, 255], false),
            ([198, 19, 0, 1], false),
        ] as [([UInt8], Bool)])
    func `an address of version 4 is public or not`(bytes: [UInt8], isPublic: Bool) {
        #expect(PublicAddress.isPublic(bytes) == isPublic)
    }

    @Test func `an address of version 6 is public when it is global, and as public as one that it carries`() {
        func six(_ first: [UInt8], _ last: [UInt8]) -> [UInt8] {
            first + Array(repeating: 0, count: 16 - first.count - last.count) + last
        }
        #expect(PublicAddress.isPublic(six([0x26, 0x06, 0x47], [1])))
        #expect(!PublicAddress.isPublic(six([], [1])) && !PublicAddress.isPublic(six([], [])))
        #expect(!PublicAddress.isPublic(six([0xFE, 0x80], [1])) && !PublicAddress.isPublic(six([0xFD], [1])))
        #expect(!PublicAddress.isPublic(six([], [0xFF, 0xFF, 10, 0, 0, 1])) && PublicAddress.isPublic(six([], [0xFF, 0xFF, 8, 8, 8, 8])))
        #expect(
            !PublicAddress.isPublic(six([0x20, 0x02, 10, 0, 0, 1], [])) && !PublicAddress.isPublic(six([0x20, 0x01, 0x0D, 0xB8], [1])))
        #expect(!PublicAddress.isPublic([1, 2]))
    }

    @Test func `a name is followed to its addresses`() async throws {
        await #expect(throws: PublicAddress.Refused.self) { try await PublicAddress.find("localhost") }
        #expect(["127.0.0.1", "0:0:0:0:0:0:0:1"].contains(try await PublicAddress.find("localhost", allowsPrivate: true)))
        #expect(try await PublicAddress.find("1.1.1.1") == "1.1.1.1")
    }
}
