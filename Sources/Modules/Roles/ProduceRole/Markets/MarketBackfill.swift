package import Domain
package import EventLog
package import Logging
package import Markets

/// Sends an exchange's trades of a stretch of the past, and ends.
///
/// How far each pair has come is written with its trades: a backfill that was killed goes on where it stopped. The records
/// are those that the same trades would have been as they happened.
package actor MarketBackfill: Sending {
    package struct Plan: Sendable {
        package let target: SourceWriter.Target
        package let codec: any MarketCodec
        package let pairs: [String]
        package let restURL: String
        /// A PEM file of certificates to trust; `nil` for those of the system.
        package let trust: String?
        package let encoder: TradeEncoder
        /// Event times to send.
        package let span: Range<EventTime.Milliseconds>

        package init(
            target: SourceWriter.Target, codec: any MarketCodec, pairs: [String], restURL: String, trust: String?, encoder: TradeEncoder,
            span: Range<EventTime.Milliseconds>
        ) {
            self.target = target
            self.codec = codec
            self.pairs = pairs
            self.restURL = restURL
            self.trust = trust
            self.encoder = encoder
            self.span = span
        }
    }

    package struct Failure: Error, CustomStringConvertible {
        package enum Cause: Sendable {
            /// The exchange does not tell its past.
            case untold
            /// It did not answer for as long as we have patience.
            case unanswered
            /// What it answered is not understood.
            case malformed
        }

        package let cause: Cause
        package let description: String
    }

    /// What is known of one pair.
    private struct Walk {
        let pair: String
        var history: any TradeHistory
        var nanoseconds: Int64
        var isDone: Bool
    }

    /// Under which source name a backfill of a source remembers its positions.
    package static func name(_ source: String) -> String { source + "/backfill" }

    private let plan: Plan
    private let writer: SourceWriter
    private let clocks: Clocks
    private let logger: Logger
    private let jitter: @Sendable () -> Double
    private var sent = 0

    private static let doneKey = "done/"
    private static let reportInterval = Duration.seconds(10)

    package init(
        _ plan: Plan, log: any EventLog, clocks: Clocks, logger: Logger, jitter: @escaping @Sendable () -> Double = { .random(in: 0..<1) }
    ) {
        self.plan = plan
        self.clocks = clocks
        self.logger = logger
        self.jitter = jitter
        writer = SourceWriter(plan.target, log: log, clocks: clocks, logger: logger)
    }

    package func run() async throws {
        let saved = try await writer.open()
        let client = try HistoryClient(baseURL: plan.restURL, trust: plan.trust)
        do {
            try await walk(client, try walks(saved))
        } catch {
            try await client.shutDown()
            try await writer.release()
            throw error
        }
        try await client.shutDown()
        try await writer.release()
    }

    private func walks(_ saved: [String: [UInt8]]) throws -> [Walk] {
        try plan.pairs.map { pair in
            let book = saved[MarketSender.bookKey + pair].flatMap { BookPosition(String(decoding: $0, as: UTF8.self)) }
            // No exchange has trades before 1970, and nanoseconds reach 292 years beyond.
            let start = min(max(0, plan.span.lowerBound), Int64.max / 1_000_000) * 1_000_000
            let from = book.map { HistoryStart.after(id: $0.id, nanoseconds: $0.nanoseconds) } ?? .time(nanoseconds: start)
            guard let history = plan.codec.history(of: pair, from: from) else {
                throw Failure(cause: .untold, description: "the exchange of the source \"\(plan.target.source)\" does not tell its past")
            }
            if let book {
                logger.info("backfill goes on", metadata: ["pair": "\(pair)", "after": "\(book.id)"])
            }
            return Walk(
                pair: pair, history: history, nanoseconds: book?.nanoseconds ?? start, isDone: saved[Self.doneKey + pair] != nil)
        }
    }

    /// Page by page, always for the pair that is furthest behind, so that the pairs' times stay together.
    private func walk(_ client: HistoryClient, _ begun: [Walk]) async throws {
        var walks = begun, reportedAt = clocks.monotonic()
        while !Task.isCancelled,
            let next = walks.indices.filter({ !walks[$0].isDone }).min(by: { walks[$0].nanoseconds < walks[$1].nanoseconds })
        {
            try await step(&walks[next], client)
            if clocks.monotonic() - reportedAt > Self.reportInterval {
                reportedAt = clocks.monotonic()
                let time = EventTime.format(walks[next].nanoseconds / 1_000_000)
                logger.info("backfill", metadata: ["source": "\(plan.target.source)", "trades": "\(sent)", "until": "\(time)"])
            }
        }
        logger.info(
            Task.isCancelled ? "backfill stopped" : "backfill ended",
            metadata: ["source": "\(plan.target.source)", "trades": "\(sent)"])
    }

    private func step(_ walk: inout Walk, _ client: HistoryClient) async throws {
        guard let request = walk.history.request else { return try await end(&walk, with: []) }
        let answer: [UInt8]
        do {
            answer = try await HistoryAnswer.patient(request, codec: plan.codec, from: client, writer: writer, jitter: jitter)
        } catch let error as HistoryAnswer.Refused {
            throw Failure(cause: .unanswered, description: "\(plan.restURL)\(request.text): \(error.reason)")
        }
        let page: [MarketTrade]
        do throws(MarketError) {
            page = try walk.history.take(answer)
        } catch {
            throw Failure(cause: .malformed, description: "\(plan.restURL)\(request.text): \(error)")
        }
        let wanted = page.filter { plan.span.contains($0.time) }
        if let last = page.last { walk.nanoseconds = last.nanoseconds }
        if let last = page.last, last.time >= plan.span.upperBound { return try await end(&walk, with: wanted) }
        try await send(wanted, [])
    }

    private func end(_ walk: inout Walk, with trades: [MarketTrade]) async throws {
        walk.isDone = true
        try await send(trades, [LogUnit.StateChange(key: Array((Self.doneKey + walk.pair).utf8), value: Array("true".utf8))])
    }

    private func send(_ trades: [MarketTrade], _ marks: [LogUnit.StateChange]) async throws {
        guard !trades.isEmpty || !marks.isEmpty else { return try await writer.renewLease() }
        try await writer.send(trades.map(plan.encoder.event), remembering: BookPosition.changes(trades) + marks)
        sent += trades.count
    }
}
