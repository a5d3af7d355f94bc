import Domain
package import EventLog
import Columnar
package import Logging
package import Markets
import Metrics
import Web
package import WebSocket

/// Sends the trades of an exchange as they happen: each once, in the order of their numbers, gaps repaired where the exchange
/// tells its past.
package actor MarketSender: Sending {
    package enum Capture: Sendable {
        case none
        /// Writes what comes over the network to this file.
        case record(String)
        /// Reads it from there, and ends with it.
        case replay(String)
    }

    package struct Plan: Sendable {
        package let target: SourceWriter.Target
        package let codec: any MarketCodec
        package let address: WebSocketAddress
        package let restURL: String
        /// A PEM file of certificates to trust; `nil` for those of the system.
        package let trust: String?
        package let encoder: TradeEncoder
        /// Silence of a key, while the exchange is connected, after which a tick is written.
        package let idlePatience: Duration
        package let capture: Capture

        package init(
            target: SourceWriter.Target, codec: any MarketCodec, address: WebSocketAddress, restURL: String, trust: String?,
            encoder: TradeEncoder, idlePatience: Duration, capture: Capture
        ) {
            self.target = target
            self.codec = codec
            self.address = address
            self.restURL = restURL
            self.trust = trust
            self.encoder = encoder
            self.idlePatience = idlePatience
            self.capture = capture
        }
    }

    /// Why a connection is given up and made again.
    private enum Ended: Error, CustomStringConvertible {
        case closed(code: UInt16, reason: String), refused(String), unanswered

        var description: String {
            switch self {
            case .closed(let code, let reason): "the exchange closed the connection (\(code)\(reason.isEmpty ? "" : " \(reason)"))"
            case .refused(let reason): "the exchange refuses the subscription: \(reason)"
            case .unanswered: "the exchange did not answer the subscription"
            }
        }
    }

    private let plan: Plan
    private let log: any EventLog
    private let writer: SourceWriter
    private let clocks: Clocks
    private let logger: Logger
    private let meters: MarketMeters
    /// In [0, 1): spreads the attempts of processes that lost their connection together.
    private let jitter: @Sendable () -> Double
    private var sequence = TradeSequence()
    private var history: HistoryClient?
    private var recording: CaptureWriter?
    private var replaying: CaptureReader?
    private var openedAt = Duration.zero
    private var isSubscribed = false
    private var isRepairing = false
    /// The log says that the capture has ended.
    private var isEnded = false
    private var failures = 0

    private static let backoff = RetryPolicy(attempts: .max, base: .milliseconds(500), cap: .seconds(60))
    private static let answerPatience = Duration.seconds(15)
    static let bookKey = "book/"
    private static let endedKey = "ended"

    package init(
        _ plan: Plan, log: any EventLog, clocks: Clocks, logger: Logger, jitter: @escaping @Sendable () -> Double = { .random(in: 0..<1) }
    ) {
        self.plan = plan
        self.log = log
        self.clocks = clocks
        self.logger = logger
        self.jitter = jitter
        writer = SourceWriter(plan.target, log: log, clocks: clocks, logger: logger, remembersKeys: true)
        meters = MarketMeters(source: plan.target.source)
    }

    package func run() async throws {
        let saved = try await writer.open()
        isEnded = saved[Self.endedKey] != nil
        var books = Self.books(saved)
        if books.isEmpty, case .none = plan.capture {
            // A backfill that came first has brought the pairs to where they are.
            let group = "produce/" + MarketBackfill.name(plan.target.source)
            let entries = try await log.savedState(group: group, partition: 0).entries
            let saved = entries.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
            books = Self.books(Dictionary(saved, uniquingKeysWith: { $1 }))
        }
        sequence = TradeSequence(books: books)
        switch plan.capture {
        case .replay(let path): try await replay(path)
        case .record(let path):
            recording = try CaptureWriter(path: path)
            try await live()
        case .none: try await live()
        }
        // Also when the task has been cancelled: the next process need not wait.
        try await Task { [writer] in try await writer.release() }.value
    }

    private static func books(_ saved: [String: [UInt8]]) -> [String: BookPosition] {
        var books: [String: BookPosition] = [:]
        for (key, value) in saved where key.hasPrefix(bookKey) {
            books[String(key.dropFirst(bookKey.count))] = BookPosition(String(decoding: value, as: UTF8.self))
        }
        return books
    }

    // MARK: Live

    private func live() async throws {
        let client = try await WebSocketClient(plan.address, trust: plan.trust)
        let history = try HistoryClient(baseURL: plan.restURL, trust: plan.trust)
        self.history = history
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.listen(client) }
                group.addTask { try await self.watchSilence() }
                try await group.next()
                group.cancelAll()
            }
        } catch is CancellationError {
            logger.debug("source stopped", metadata: ["source": "\(plan.target.source)"])
        } catch {
            try await history.shutDown()
            throw error
        }
        try await history.shutDown()
    }

    private func listen(_ client: WebSocketClient) async throws {
        while !Task.isCancelled {
            do {
                try await client.run { session in
                    try await self.connected()
                    for text in self.plan.codec.subscriptions() { try await session.send(text) }
                    while let event = try await session.next() {
                        switch event {
                        case .message(let bytes): try await self.take(bytes)
                        case .closed(let code, let reason): throw Ended.closed(code: code, reason: reason)
                        }
                    }
                }
                try await lost(WebSocketError(.cut, plan.address))
            } catch let error as WebSocketError where error.isRetriable {
                try await lost(error)
            } catch let error as Ended {
                try await lost(error)
            }
        }
    }

    private func connected() async throws {
        openedAt = clocks.monotonic()
        isSubscribed = false
        // Where nothing is asked for, nothing is answered.
        if plan.codec.subscriptions().isEmpty { await heard() }
        meters.connections.increment()
        logger.info("exchange connected", metadata: ["source": "\(plan.target.source)", "url": "\(plan.address)"])
        try record(.opened)
    }

    private func lost(_ error: any Error) async throws {
        isSubscribed = false
        if Task.isCancelled { return }
        try record(.closed)
        failures += 1
        let delay = Self.backoff.delay(afterFailures: failures, jitter: jitter()) ?? .seconds(60)
        logger.warning(
            "exchange lost; connecting again",
            metadata: ["source": "\(plan.target.source)", "reason": "\(error)", "in": "\(delay)", "failures": "\(failures)"])
        try await writer.renewLease()
        try await Task.sleep(for: delay)
    }

    /// Says of pairs that are silent, while the exchange is there, that time has passed for them.
    private func watchSilence() async throws {
        while !Task.isCancelled {
            try await Task.sleep(for: .seconds(1))
            if isSubscribed, !isRepairing {
                try await writer.tellSilence(patience: plan.idlePatience)
            } else {
                try await writer.renewLease()
            }
        }
    }

    // MARK: Messages

    private func take(_ bytes: [UInt8]) async throws {
        try record(.message(bytes))
        try await apply(bytes)
        if !isSubscribed, clocks.monotonic() - openedAt > Self.answerPatience { throw Ended.unanswered }
    }

    private func apply(_ bytes: [UInt8]) async throws {
        let message: MarketMessage
        do throws(MarketError) {
            message = try plan.codec.decode(bytes)
        } catch {
            // If it was a trade, the next one's number will show that it is missing.
            meters.malformed.increment()
            logger.warning(
                "a message is not understood", metadata: ["source": "\(plan.target.source)", "reason": "\(error)"])
            return
        }
        switch message {
        case .subscribed: await heard()
        case .refused(let reason): throw Ended.refused(reason)
        case .trades(let trades):
            await heard()
            failures = 0
            try await pass(trades)
        case .other: break
        }
    }

    /// The exchange speaks: from now on silence is the market's.
    private func heard() async {
        guard !isSubscribed else { return }
        await writer.restartSilence()
        isSubscribed = true
    }

    private func pass(_ trades: [MarketTrade]) async throws {
        var left = trades
        while true {
            let step = sequence.take(left)
            meters.repeats.increment(by: step.repeats)
            for (pair, before) in step.restarts {
                logger.error(
                    "the exchange counts a pair's trades anew, or its last number was wrong; what comes now is taken",
                    metadata: ["source": "\(plan.target.source)", "pair": "\(pair)", "before": "\(before.id)"])
            }
            try await send(step.accepted)
            guard let gap = step.gap else { return }
            isRepairing = true
            defer { isRepairing = false }
            try await repair(gap)
            // What the other pairs said meanwhile is still waiting to be taken.
            await writer.restartSilence()
            left = step.rest
        }
    }

    private func send(_ trades: [MarketTrade]) async throws {
        guard !trades.isEmpty else { return }
        var state = BookPosition.changes(trades)
        if isEnded {
            isEnded = false
            state.append(LogUnit.StateChange(key: Array(Self.endedKey.utf8), value: nil))
        }
        try await writer.send(trades.map(plan.encoder.event), remembering: state)
    }

    // MARK: Gaps

    private func repair(_ gap: TradeSequence.Gap) async throws {
        meters.gaps.increment()
        let place: Logger.Metadata = [
            "source": "\(plan.target.source)", "pair": "\(gap.pair)", "after": "\(gap.after.id)", "missing": "\(gap.missing)",
        ]
        logger.info("trades are missing; asking for them", metadata: place)
        var found: Int64 = 0
        if var walk = plan.codec.history(of: gap.pair, from: .after(id: gap.after.id, nanoseconds: gap.after.nanoseconds)) {
            while let request = walk.request, let answer = try await ask(request) {
                let page: [MarketTrade]
                do throws(MarketError) {
                    page = try walk.take(answer)
                } catch {
                    logger.error("trades of the past are not understood", metadata: ["reason": "\(error)", "request": "\(request.text)"])
                    break
                }
                let accepted = sequence.fill(gap, with: page)
                found += Int64(accepted.count)
                try await send(accepted)
                if let last = page.last, last.id >= gap.next - 1 { break }
            }
        }
        sequence.close(gap)
        meters.repaired.increment(by: found)
        guard found < gap.missing else { return logger.info("the missing trades were found", metadata: place) }
        meters.lost.increment(by: gap.missing - found)
        logger.error("trades stay missing", metadata: place.merging(["lost": "\(gap.missing - found)"]) { $1 })
    }

    /// - Returns: `nil` when the exchange would not answer, after all patience.
    private func ask(_ request: HistoryRequest) async throws -> [UInt8]? {
        if replaying != nil { return try replaying?.answer(to: request) }
        guard let history else { return nil }
        do {
            let answer = try await HistoryAnswer.patient(request, codec: plan.codec, from: history, writer: writer, jitter: jitter)
            try record(.history(request: request.text, answer: answer))
            return answer
        } catch let error as HistoryAnswer.Refused {
            logger.error("the exchange does not tell its past", metadata: ["request": "\(request.text)", "reason": "\(error.reason)"])
            try record(.historyFailed(request: request.text))
            return nil
        }
    }

    // MARK: Captures

    private func record(_ event: CaptureEvent) throws {
        guard let writer = recording, try !writer.append(event, at: clocks.wall()) else { return }
        recording = nil
        logger.warning(
            "the recording is full and ends; the source goes on",
            metadata: ["source": "\(plan.target.source)", "bytes": "\(MarketCapture.limit)"])
    }

    /// A capture has an end, so its keys end with it.
    private func replay(_ path: String) async throws {
        let lines = try LineReader(path: path)
        replaying = CaptureReader(path: path) { try lines.next().map(Array.init) }
        while !Task.isCancelled, let event = try replaying?.read() {
            guard case .message(let bytes) = event else { continue }
            do {
                try await apply(bytes)
            } catch is Ended {
                continue
            }
        }
        guard !Task.isCancelled, !isEnded else { return }
        let ended = LogUnit.StateChange(key: Array(Self.endedKey.utf8), value: Array("true".utf8))
        let keys = try await writer.end(remembering: [ended])
        logger.info("capture ended", metadata: ["source": "\(plan.target.source)", "keys": "\(keys)"])
    }
}
