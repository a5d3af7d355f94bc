import Domain
import Registry
import Tracking

/// What the routes work on.
struct TrackService: Sendable {
    let store: TrackingStore
    let traces: TraceStore
    let registry: RegistryStore
    let artifacts: ArtifactStore
    let webhooks: WebhookSender
    /// How long to wait, again and again, for spans of a trace that are still on their way.
    var patience: [Duration] = [.seconds(1), .seconds(2)]
    /// Wall time in milliseconds since the Unix epoch.
    let now: @Sendable () -> EventTime.Milliseconds
    /// Tells the other roles of a change in the registry. It has happened already: failing to tell undoes nothing.
    let publish: @Sendable (RegistryEvent) async -> Void

    /// Tells of a change of a model, or of a prompt in the words for prompts.
    func tell(_ event: RegistryEvent, isPrompt: Bool) async {
        guard isPrompt else { return await publish(event) }
        if let event = event.ofPrompt { await publish(event) }
    }
}
