import Dispatch
import ServiceLifecycle
import Telemetry
import Web

/// Gives back what only the start needed, once a server answers.
struct Settling: Service {
    let address: ListeningAddress

    func run() async throws {
        // A server that does not come up says so itself.
        if (try? await address.wait()) != nil { DispatchQueue.global().async { ProgramPages.release() } }
        try await gracefulShutdown()
    }
}
