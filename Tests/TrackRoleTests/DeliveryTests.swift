import Domain
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Registry
import ServiceLifecycle
import Synchronization
import Testing
import Tracking
import Web

@testable import TrackRole

@Suite struct DeliveryLanesTests {
    @Test func `each receiver has a lane of its own, in order, for as long as something waits`() {
        var lanes = DeliveryLanes<Int>(maxWaiting: 3)
        #expect(lanes.offer(1, to: "a") == .init(startsLane: true, dropsOldest: false))
        #expect(lanes.offer(2, to: "a") == .init(startsLane: false, dropsOldest: false))
        #expect(lanes.offer(3, to: "b") == .init(startsLane: true, dropsOldest: false))
        #expect(lanes.next(for: "a") == 1)
        #expect(lanes.next(for: "a") == 2)
        // The one at work is not done yet: who comes now finds the lane.
        #expect(lanes.offer(4, to: "a") == .init(startsLane: false, dropsOldest: false))
        #expect(lanes.next(for: "a") == 4)
        #expect(lanes.laneCount == 2)
        #expect(lanes.next(for: "a") == nil)
        #expect(lanes.laneCount == 1)
        #expect(lanes.offer(5, to: "a").startsLane)
    }

    @Test func `a lane that is full gives up its oldest`() {
        var lanes = DeliveryLanes<Int>(maxWaiting: 2)
        for number in 0..<2 { #expect(!lanes.offer(number, to: "a").dropsOldest) }
        #expect(lanes.offer(2, to: "a").dropsOldest)
        #expect([lanes.next(for: "a"), lanes.next(for: "a"), lanes.next(for: "a")] == [1, 2, nil])
    }
}

/// Deliveries to receivers of this test.
@Suite struct DeliveryTests {
    private final class Receiver: Sendable {
        private let paths = Mutex<[String]>([])
        var told: [String] { paths.withLock { $0 } }
        func add(_ path: String) { paths.withLock { $0.append(path) } }

        /// Until as many were told as were expected; the test's time limit ends it otherwise.
        func wait(for count: Int) async throws { while told.count < count { try await Task.sleep(for: .milliseconds(5)) } }
    }

    /// Answers at `/answers/…`, begins to and never ends at `/hangs`.
    private func withReceiver(_ body: (String, Receiver) async throws -> Void) async throws {
        let receiver = Receiver(), router = Router(context: WebContext.self)
        router.post("/answers/:name") { request, context in
            receiver.add(request.uri.path)
            return Response.text("")
        }
        router.post("/hangs") { request, _ in
            receiver.add(request.uri.path)
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await Task.sleep(for: .seconds(86_400))
                    try await writer.finish(nil)
                })
        }
        let quiet = TrackServer.quiet("receiver")
        let host = HTTPHost(role: "test", port: 0, responder: router.buildResponder(), limits: { _ in HTTPLimits() }, logger: quiet)
        let group = ServiceGroup(configuration: .init(services: [host], logger: quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try? await group.run() }
            try await body(try await host.address.wait().url, receiver)
            tasks.cancelAll()
        }
    }

    private func withStore(_ body: (WebhookStore, _ otherKey: WebhookStore) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "webhooks-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let database = try await TrackRole.database(directory)
        try await body(
            WebhookStore(database: database, key: Array(repeating: 1, count: 32)),
            WebhookStore(database: database, key: Array(repeating: 2, count: 32)))
    }

    private func hook(_ name: String, _ url: String, secret: String? = nil) -> WebhookStore.Change {
        var change = WebhookStore.Change()
        change.name = name
        change.url = url
        change.secret = secret
        change.events = [Webhook.Event(entity: "REGISTERED_MODEL", action: "CREATED")]
        return change
    }

    private func sender(_ store: WebhookStore, allowsPrivate: Bool = true, timeout: Duration = .seconds(600)) -> WebhookSender {
        WebhookSender(store: store, allowsPrivate: allowsPrivate, timeout: timeout, logger: TrackServer.quiet("webhooks"), now: { 7 })
    }

    private func event(_ model: String) -> RegistryEvent { RegistryEvent(.modelCreated, model: model, time: 1) }

    @Test(.timeLimit(.minutes(5)))
    func `a receiver that never answers holds up nobody else`() async throws {
        try await withReceiver { url, receiver in
            try await withStore { store, _ in
                _ = try await store.create(hook("hangs", url + "/hangs"), now: 1)
                for name in ["a", "b"] { _ = try await store.create(hook(name, url + "/answers/" + name), now: 1) }
                let sender = sender(store)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { await sender.run() }
                    for number in 0..<3 { sender.tell(event("m\(number)")) }
                    try await receiver.wait(for: 7)
                    #expect(receiver.told.count { $0 == "/answers/a" } == 3 && receiver.told.count { $0 == "/answers/b" } == 3)
                    #expect(receiver.told.count { $0 == "/hangs" } == 1)
                    tasks.cancelAll()
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a delivery whose answer never ends is over in its time and tried again`() async throws {
        try await withReceiver { url, receiver in
            try await withStore { store, _ in
                let sender = sender(store, timeout: .milliseconds(200))
                let outcome = await sender.send([], to: url + "/hangs", secret: nil, delivery: "d")
                #expect(outcome.status == nil && outcome.isRetriable && outcome.error?.contains("within") == true)
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a secret that cannot be read silences its own webhook alone`() async throws {
        try await withReceiver { url, receiver in
            try await withStore { store, other in
                let lost = try await other.create(hook("lost", url + "/answers/lost", secret: "s"), now: 1)
                _ = try await store.create(hook("signed", url + "/answers/signed", secret: "s"), now: 2)
                let sender = sender(store)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { await sender.run() }
                    for number in 0..<2 { sender.tell(event("m\(number)")) }
                    try await receiver.wait(for: 2)
                    #expect(receiver.told == ["/answers/signed", "/answers/signed"])
                    tasks.cancelAll()
                }
                let test = await sender.test(lost, Webhook.Event(entity: "MODEL_VERSION_ALIAS", action: "CREATED"))
                #expect(test.status == nil && test.error?.contains("key") == true)
            }
        }
    }

    /// What was allowed when the webhook was made may not be any more, and a name may lead elsewhere by now.
    @Test func `at the moment of sending too no webhook leads into a private network`() async throws {
        try await withReceiver { url, receiver in
            try await withStore { store, _ in
                let secure = url.replacing("http://", with: "https://") + "/answers/a"
                let outcome = await sender(store, allowsPrivate: false).send([], to: secure, secret: nil, delivery: "d")
                #expect(outcome.error?.contains("not a public address") == true)
                let plain = await sender(store, allowsPrivate: false).send([], to: url + "/answers/a", secret: nil, delivery: "d")
                #expect(plain.error?.contains("scheme") == true && receiver.told.isEmpty)
                let allowed = await sender(store).send([], to: url + "/answers/a", secret: nil, delivery: "d")
                #expect(allowed.isSuccess && receiver.told == ["/answers/a"])
            }
        }
    }
}
