import Domain
import Foundation
import Logging
import Metrics
import Registry
import Synchronization
import Tracking
import Web

/// Tells webhooks of changes in the registry: signed, tried again within bounds, never into the server's own network.
///
/// Receivers are independent of each other: each gets its deliveries one after the other, and one that does not answer holds
/// up its own alone. The only connections the server opens. A delivery that nobody took after the last try is given up, and the log says so.
struct WebhookSender: Sendable {
    struct Outcome: Sendable {
        let status: Int?
        let body: String
        let error: String?

        var isSuccess: Bool { status.map { (200..<300).contains($0) } ?? false }
        /// Whether the same delivery may succeed later.
        var isRetriable: Bool { status.map { $0 == 408 || $0 == 429 || $0 >= 500 } ?? true }
    }

    let store: WebhookStore
    /// Takes private addresses and plain HTTP, for networks that are trusted.
    let allowsPrivate: Bool
    let logger: Logger
    let now: @Sendable () -> EventTime.Milliseconds
    /// For one try: the look-up of the name, the connection and the whole answer.
    let timeout: Duration
    private let lanes = Lanes()
    private let queue: (stream: AsyncStream<RegistryEvent>, continuation: AsyncStream<RegistryEvent>.Continuation)

    /// Events that wait to be told; beyond it the oldest are given up.
    static let maxWaiting = 1_000
    /// The same, of one receiver that is slow.
    static let maxWaitingPerReceiver = 250
    static let retry = RetryPolicy(attempts: 5, base: .milliseconds(500), cap: .seconds(30))

    init(
        store: WebhookStore, allowsPrivate: Bool, timeout: Duration = .seconds(10), logger: Logger,
        now: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.timeout = timeout
        self.store = store
        self.allowsPrivate = allowsPrivate
        self.logger = logger
        self.now = now
        queue = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.maxWaiting))
    }

    func tell(_ event: RegistryEvent) {
        if case .dropped = queue.continuation.yield(event) {
            Counter(label: "mlops_webhook_events_dropped_total").increment()
        }
    }

    /// Sends what comes until cancelled.
    func run() async {
        // Not more lanes at a time than there are webhooks.
        await withDiscardingTaskGroup { group in
            for await event in queue.stream {
                for target in await targets(of: event) {
                    let receiver = target.webhook.id
                    let offer = lanes.state.withLock { $0.offer((event, target), to: receiver) }
                    if offer.dropsOldest {
                        Counter(label: "mlops_webhook_events_dropped_total").increment()
                        logger.error(
                            "webhook falls behind; its oldest event is given up",
                            metadata: ["webhook": "\(target.webhook.name)", "waiting": "\(Self.maxWaitingPerReceiver)"])
                    }
                    guard offer.startsLane else { continue }
                    group.addTask {
                        while let next = lanes.state.withLock({ $0.next(for: receiver) }) { await deliver(next.event, to: next.target) }
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func targets(of event: RegistryEvent) async -> [WebhookStore.Target] {
        do throws(TrackingError) { return try await store.targets(of: event.kind.rawValue) } catch {
            logger.error("webhooks cannot be read", metadata: ["event": "\(event.kind.rawValue)", "error": "\(error)"])
            return []
        }
    }

    private func deliver(_ event: RegistryEvent, to target: WebhookStore.Target) async {
        let webhook = target.webhook, secret: String?
        do throws(TrackingError) { secret = try target.secret.get() } catch {
            // Unsigned it would be a stranger's; the others are told all the same.
            Counter(label: "mlops_webhook_deliveries_total", dimensions: [("outcome", "failed")]).increment()
            logger.error(
                "webhook not told", metadata: ["webhook": "\(webhook.name)", "event": "\(event.kind.rawValue)", "reason": "\(error)"])
            return
        }
        let delivery = UUID().uuidString.lowercased()
        var failures = 0
        while true {
            let outcome = await send(WebhookPayload.json(event), to: webhook.url, secret: secret, delivery: delivery)
            Counter(label: "mlops_webhook_deliveries_total", dimensions: [("outcome", outcome.isSuccess ? "taken" : "failed")]).increment()
            if outcome.isSuccess { return }
            failures += 1
            guard outcome.isRetriable, let wait = Self.retry.delay(afterFailures: failures, jitter: Double.random(in: 0..<1)) else {
                logger.error(
                    "webhook given up",
                    metadata: ["webhook": "\(webhook.name)", "event": "\(event.kind.rawValue)", "reason": "\(Self.reason(outcome))"])
                return
            }
            do { try await Task.sleep(for: wait) } catch { return }
        }
    }

    private static func reason(_ outcome: Outcome) -> String { outcome.error ?? "status \(outcome.status ?? 0)" }

    /// One try, as whoever manages webhooks asks for it.
    func test(_ webhook: Webhook, _ event: Webhook.Event) async -> Outcome {
        do throws(TrackingError) {
            let payload = WebhookPayload.example(event, now: now())
            return await send(payload, to: webhook.url, secret: try await store.secret(id: webhook.id), delivery: "test")
        } catch {
            return Outcome(status: nil, body: "", error: error.message)
        }
    }

    private final class Lanes: Sendable {
        let state = Mutex(
            DeliveryLanes<(event: RegistryEvent, target: WebhookStore.Target)>(maxWaiting: WebhookSender.maxWaitingPerReceiver))
    }

    /// One try.
    func send(_ payload: [UInt8], to url: String, secret: String?, delivery: String) async -> Outcome {
        let timestamp = now() / 1_000
        var headers = [(name: "x-mlflow-delivery-id", value: delivery), (name: "x-mlflow-timestamp", value: String(timestamp))]
        if let secret {
            let signature = WebhookStore.signature(secret: secret, delivery: delivery, timestamp: timestamp, payload: payload)
            headers.append((name: "x-mlflow-signature", value: signature))
        }
        do {
            _ = try Self.host(of: url, allowsPlain: allowsPrivate)
            let answer = try await PublicPost.send(payload, to: url, headers: headers, timeout: timeout, allowsPrivate: allowsPrivate)
            return Outcome(status: answer.status, body: answer.body, error: nil)
        } catch {
            return Outcome(status: nil, body: "", error: "\(error)")
        }
    }

    /// The host of an address that may be called.
    static func host(of text: String, allowsPlain: Bool) throws(TrackingError) -> String {
        let schemes = allowsPlain ? ["https", "http"] : ["https"]
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(), schemes.contains(scheme) else {
            throw TrackingError(.invalidParameter, "Invalid webhook URL scheme. Allowed schemes are: \(schemes.joined(separator: ", ")).")
        }
        guard let host = PublicPost.host(of: text), url.user == nil, url.password == nil, text.utf8.count <= 2_000 else {
            throw TrackingError(
                .invalidParameter, "Invalid webhook URL: it needs the name or address of a host, no user, and at most 2000 characters")
        }
        return host
    }

    /// Refuses what ``send(_:to:secret:delivery:)`` would refuse.
    func check(_ url: String) async throws(TrackingError) {
        let host = try Self.host(of: url, allowsPlain: allowsPrivate)
        do throws(PublicAddress.Refused) {
            _ = try await PublicAddress.find(host, allowsPrivate: allowsPrivate)
        } catch {
            throw TrackingError(.invalidParameter, "Webhook URL must not resolve to a non-public IP address: \(error)")
        }
    }
}
