import Testing

@testable import Telemetry

@Suite struct ProgramPagesTests {
    private func mapping(_ head: String, anonymous: Int) -> String {
        "\(head)\nSize:                  8 kB\nRss:                   8 kB\nAnonymous:             \(anonymous) kB\nVmFlags: rd mr mw me\n"
    }

    @Test func `only what is a file's, private, protected and never written to is given back`() {
        let text =
            mapping("1000-3000 r-xp 00000000 fe:00 12   /usr/bin/program", anonymous: 0)
            + mapping("3000-4000 r--p 00002000 fe:00 12   /usr/bin/program", anonymous: 4)
            + mapping("4000-5000 rw-p 00003000 fe:00 12   /usr/bin/program", anonymous: 0)
            + mapping("5000-6000 r--s 00000000 fe:00 13   /data/log.sqlite-shm", anonymous: 0)
            + mapping("6000-7000 r--p 00000000 00:00 0 ", anonymous: 0)
            + mapping("7000-8000 r-xp 00000000 00:00 0    [vdso]", anonymous: 0)
            + mapping("8000-a000 r--p 00000000 fe:00 14   /usr/lib/a library.so", anonymous: 0)
        #expect(ProgramPages.unwritten(smaps: text) == [0x1000..<0x3000, 0x8000..<0xa000])
    }

    #if os(Linux)
    @Test func `of this process the code of the program and of its libraries is given back`() throws {
        let text = try #require(ProcessMetrics.read("/proc/self/smaps"))
        let code = text.split(separator: "\n").filter { $0.contains(" r-xp ") && $0.contains(" /") }
        #expect(code.count > 5)
        let given = ProgramPages.unwritten(smaps: text)
        for line in code {
            let begin = try #require(UInt(line.prefix { $0 != "-" }, radix: 16))
            #expect(given.contains { $0.lowerBound == begin })
        }
    }
    #endif

    @Test func `the program goes on with what it gave back`() {
        let before = (0..<1_000).map { String($0, radix: 7) }
        ProgramPages.release()
        #expect((0..<1_000).map { String($0, radix: 7) } == before)
    }
}
